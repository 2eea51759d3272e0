package engine_test

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/natsconn"
)

// The large messages of the test, and how much more memory a process may take for all of them together than before the first.
const (
	largeCount  = 4
	largeSize   = 64 << 20
	largeGrowth = 128 << 20
	largeRole   = "RMDS_TEST_LARGE"
)

// TestFourLargeMessagesAtOnce sends four messages of 64 MiB through a real NATS with its default payload limit, one in a hundred frames lost
// and the server restarted on the way. Writer and reader are processes of their own, whose memory is that of the whole process.
func TestFourLargeMessagesAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 256 MiB")
	}
	if raceEnabled {
		withoutRaceDetector(t)
		return
	}
	port := freePort(t)
	nats := startNATS(t, port)
	dir := t.TempDir()
	writer := startLarge(t, "writer", dir, port)
	want := map[string]string{}
	for range largeCount {
		channel, sum, _ := strings.Cut(writer.expect("sent "), " ")
		want[channel] = sum
	}
	reader := startLarge(t, "reader", dir, port)
	reader.expect("some ")
	stopNATS(nats)
	startNATS(t, port)
	for range largeCount {
		channel, sum, _ := strings.Cut(reader.expect("got "), " ")
		if want[channel] != sum || sum == "" {
			t.Errorf("the message on %s arrived with checksum %s, was sent with %s", channel, sum, want[channel])
		}
		delete(want, channel)
	}
	for _, p := range []*largeProcess{writer, reader} {
		p.end()
		t.Logf("%s: %s", p.role, p.expect("traffic "))
		grown, err := strconv.Atoi(p.expect("grown "))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: the process took %.1f MiB more than before, at most", p.role, float64(grown)/(1<<20))
		if grown >= largeGrowth {
			t.Errorf("%s: %d bytes more, want less than %d", p.role, grown, largeGrowth)
		}
	}
}

// withoutRaceDetector runs the test in a program of its own: the race detector takes several times the memory that is measured.
func withoutRaceDetector(t *testing.T) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=15m", "-v", "-run=^"+t.Name()+"$", ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("without the race detector: %v", err)
	}
}

// largeProcess is a child: this test program in a role.
type largeProcess struct {
	t     *testing.T
	role  string
	stdin io.Closer
	lines chan string
}

func startLarge(t *testing.T, role, dir string, port int) *largeProcess {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestLargeProcess$", "-test.v")
	c.Env = append(os.Environ(), largeRole+"="+role, "RMDS_TEST_DIR="+dir, "RMDS_TEST_PORT="+strconv.Itoa(port))
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &largeProcess{t: t, role: role, stdin: stdin, lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return p
}

func (p *largeProcess) end() { _ = p.stdin.Close() }

// expect returns what follows the prefix in the next line that has it.
func (p *largeProcess) expect(prefix string) string {
	p.t.Helper()
	deadline := time.After(5 * patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s ended before it said %q", p.role, prefix)
			}
			if rest, found := strings.CutPrefix(line, prefix); found {
				return rest
			}
			if strings.Contains(line, "FAIL") {
				p.t.Errorf("%s: %s", p.role, line)
			}
		case <-deadline:
			p.t.Fatalf("%s did not say %q", p.role, prefix)
		}
	}
}

// TestLargeProcess is what the children run.
func TestLargeProcess(t *testing.T) {
	role := os.Getenv(largeRole)
	if role == "" {
		t.Skip("runs as a child of another test")
	}
	port, err := strconv.Atoi(os.Getenv("RMDS_TEST_PORT"))
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig(t, os.Getenv("RMDS_TEST_DIR"), role, port)
	c.StoragePath = filepath.Join(os.Getenv("RMDS_TEST_DIR"), role+".db")
	c.Ordering = rmds.OrderChannel
	lossy := &lossyConn{Conn: natsconn.New(natsconn.Options{Servers: c.NATSServers, Name: role})}
	connection := open(t, c, rmds.SetHarness(&harness.Harness{Dial: func(string) transport.Conn { return lossy }}))
	var grown func() int
	if role == "writer" {
		grown = writeLarge(t, connection)
	} else {
		grown = readLarge(t, connection, lossy)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has seen enough
	fmt.Printf("traffic %d MiB of data frames published, %d MiB received, %d frames lost\n", lossy.published.Load()>>20, lossy.received.Load()>>20, lossy.lost.Load())
	fmt.Printf("grown %d\n", grown())
}

func writeLarge(t *testing.T, connection *rmds.Connection) func() int {
	data := make([]byte, largeSize)
	noise := rand.NewChaCha8([32]byte{1})
	_, _ = noise.Read(data)
	var channels []*rmds.Channel
	for i := range largeCount {
		ch := connection.Join(fmt.Sprintf("large-%d", i), rmds.WriteOnly)
		channels = append(channels, ch)
	}
	grown := memory(t)
	for i, ch := range channels {
		_, _ = noise.Read(data)
		if err := ch.SendMessage(data); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("sent large-%d %08x\n", i, crc32.ChecksumIEEE(data))
	}
	return grown
}

func readLarge(t *testing.T, connection *rmds.Connection, lossy *lossyConn) func() int {
	grown := memory(t)
	lossy.some = func() { fmt.Println("some of it has come") }
	for i := range largeCount {
		err := connection.Join(fmt.Sprintf("large-%d", i), rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			fmt.Printf("got %s %08x\n", m.Channel, crc32.ChecksumIEEE(m.Data))
			_ = m.Ack()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return grown
}

// memory returns a function that tells how many bytes the process's memory has been, at most, above what it is now.
func memory(t *testing.T) func() int {
	t.Helper()
	before := statusBytes(t, "VmRSS:")
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
		t.Fatal(err)
	}
	return func() int { return statusBytes(t, "VmHWM:") - before }
}

// statusBytes reads a line of /proc/self/status.
func statusBytes(t *testing.T, field string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == field {
			kib, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in /proc/self/status", field)
	return 0
}

// lossyConn loses one in a hundred data frames that it publishes, and counts what passes.
type lossyConn struct {
	transport.Conn
	handler                   transport.Handler
	some                      func() // called in the middle of the first message
	published, received, lost atomic.Int64
}

func (c *lossyConn) Start(h transport.Handler) error {
	c.handler = h
	return c.Conn.Start(c)
}

func (c *lossyConn) Receive(subject string, data []byte) {
	if strings.HasPrefix(subject, "rmds.data.") {
		if n := c.received.Add(int64(len(data))); n > largeSize/2 && n-int64(len(data)) <= largeSize/2 {
			c.some()
		}
	}
	c.handler.Receive(subject, data)
}

func (c *lossyConn) Event(e transport.Event) { c.handler.Event(e) }

func (c *lossyConn) Publish(subject string, data []byte) error {
	if strings.HasPrefix(subject, "rmds.data.") {
		c.published.Add(int64(len(data)))
		if rand.IntN(100) == 0 {
			c.lost.Add(1)
			return nil
		}
	}
	return c.Conn.Publish(subject, data)
}
