// Package transporttest holds every implementation of transport.Conn to what transport.Conn promises.
package transporttest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// DeniedToken starts the subjects that no connection of a Network may publish on.
const DeniedToken = "denied"

// Network is what an implementation brings along. Up and Down start and stop the server (or what stands for it).
type Network interface {
	Dial(name string) transport.Conn
	Up()
	Down()
}

// Run tests an implementation. Each call of fresh returns a network that is down and forbids publishing on "denied.>".
func Run(t *testing.T, fresh func(t *testing.T) Network) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Network)
	}{
		{"delivers what matches", testMatching},
		{"keeps the order over subscriptions", testOrder},
		{"subscribes once", testSubscribeOnce},
		{"copies data", testCopies},
		{"survives a restart of the server", testRestart},
		{"starts without a server", testStartAlone},
		{"refuses large messages", testTooLarge},
		{"reports what is denied", testDenied},
		{"closes", testClose},
		{"loses messages aloud", testOverrun},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}

// start dials and waits for the connection.
func start(t *testing.T, n Network, name string) (transport.Conn, *Recorder) {
	t.Helper()
	c, r := n.Dial(name), NewRecorder(t)
	t.Cleanup(c.Close)
	must(t, c.Start(r))
	r.Has(1, "connected")
	if !c.Connected() {
		t.Error("told of a connection that is not there")
	}
	return c, r
}

// listen subscribes and waits until the server knows.
func listen(t *testing.T, c transport.Conn, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		must(t, c.Subscribe(p))
	}
	must(t, c.Flush())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testMatching(t *testing.T, n Network) {
	n.Up()
	a, _ := start(t, n, "a")
	b, got := start(t, n, "b")
	listen(t, b, "x.*.z", "y.>", "plain")
	for _, s := range []string{"x.1.z", "x.1.2.z", "x.1", "x", "y", "y.1", "y.1.2.3", "plain", "plain.1", "other", "x.1.z.2"} {
		must(t, a.Publish(s, []byte("!")))
	}
	must(t, b.Subscribe("end.*"))
	must(t, b.Flush())
	must(t, a.Publish("end.1", nil))
	got.Has(1, "end.1=")
	want := []string{"x.1.z=!", "y.1=!", "y.1.2.3=!", "plain=!", "end.1="}
	if !slices.Equal(got.Messages(), want) {
		t.Errorf("got %q, want %q", got.Messages(), want)
	}
	must(t, b.Publish("plain", []byte("own")))
	got.Has(1, "plain=own")
}

func testOrder(t *testing.T, n Network) {
	n.Up()
	a, _ := start(t, n, "a")
	b, got := start(t, n, "b")
	listen(t, b, "one.*", "two.*", "three.>")
	var want []string
	for i := range 3000 {
		subject := []string{"one.a", "two.a", "three.a.b"}[i*i%3]
		must(t, a.Publish(subject, fmt.Append(nil, i)))
		want = append(want, fmt.Sprintf("%s=%d", subject, i))
	}
	got.Has(1, want[len(want)-1])
	if !slices.Equal(got.Messages(), want) {
		t.Error("out of order")
	}
}

func testSubscribeOnce(t *testing.T, n Network) {
	n.Up()
	c, got := start(t, n, "a")
	listen(t, c, "x", "x", "end", "gone")
	must(t, c.Unsubscribe("gone"))
	must(t, c.Unsubscribe("never"))
	must(t, c.Flush())
	for _, s := range []string{"x", "gone", "end"} {
		must(t, c.Publish(s, nil))
	}
	got.Has(1, "end=")
	if want := []string{"x=", "end="}; !slices.Equal(got.Messages(), want) {
		t.Errorf("got %q, want %q", got.Messages(), want)
	}
	listen(t, c, "gone")
	must(t, c.Publish("gone", nil))
	got.Has(1, "gone=")
}

func testCopies(t *testing.T, n Network) {
	n.Up()
	a, _ := start(t, n, "a")
	b, gotB := start(t, n, "b")
	c, gotC := start(t, n, "c")
	listen(t, b, "x")
	listen(t, c, "x")
	data := []byte("data")
	for range 100 {
		copy(data, "data")
		must(t, a.Publish("x", data))
		copy(data, "____")
	}
	gotB.Has(100, "x=data")
	gotC.Has(100, "x=data")
}

func testRestart(t *testing.T, n Network) {
	n.Up()
	a, eventsA := start(t, n, "a")
	b, got := start(t, n, "b")
	listen(t, b, "x")
	must(t, a.Publish("x", []byte("before")))
	got.Has(1, "x=before")
	n.Down()
	eventsA.Has(1, "disconnected")
	got.Has(1, "disconnected")
	if a.Connected() {
		t.Error("connected to a server that has stopped")
	}
	if err := a.Publish("x", []byte("during")); !errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("publish without a server: %v", err)
	}
	if err := a.Flush(); !errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("flush without a server: %v", err)
	}
	must(t, b.Subscribe("y"))
	n.Up()
	eventsA.Has(2, "connected")
	got.Has(2, "connected")
	must(t, b.Flush())
	must(t, a.Publish("x", []byte("after")))
	must(t, a.Publish("y", []byte("after")))
	got.Has(1, "y=after")
	want := []string{"connected", "x=before", "disconnected", "connected", "x=after", "y=after"}
	log := slices.DeleteFunc(got.Log(), func(s string) bool { return s == "failed" })
	if !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}

func testStartAlone(t *testing.T, n Network) {
	c, got := n.Dial("a"), NewRecorder(t)
	t.Cleanup(c.Close)
	must(t, c.Subscribe("x"))
	if err := c.Publish("x", nil); !errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("publish before Start: %v", err)
	}
	begun := time.Now()
	must(t, c.Start(got))
	if d := time.Since(begun); d > patience {
		t.Errorf("Start took %v", d)
	}
	if err := c.Publish("x", nil); !errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("publish without a server: %v", err)
	}
	if c.Connected() || c.MaxPayload() != 0 {
		t.Errorf("connected %v, payload %d without a server", c.Connected(), c.MaxPayload())
	}
	if err := c.Start(got); !errors.Is(err, transport.ErrStarted) {
		t.Errorf("second Start: %v", err)
	}
	n.Up()
	if e := got.FirstEvent(transport.Connected); e.Server == "" {
		t.Error("connected to nobody")
	}
	must(t, c.Flush())
	must(t, c.Publish("x", []byte("1")))
	got.Has(1, "x=1")
	if c.MaxPayload() == 0 {
		t.Error("payload unknown after connecting")
	}
}

func testTooLarge(t *testing.T, n Network) {
	n.Up()
	c, got := start(t, n, "a")
	listen(t, c, "x")
	if err := c.Publish("x", make([]byte, c.MaxPayload()+1)); !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("a byte too many: %v", err)
	}
	must(t, c.Publish("x", []byte(strings.Repeat("a", c.MaxPayload()))))
	got.Until("the largest message", func(log []string) bool { return len(log[len(log)-1]) == c.MaxPayload()+len("x=") })
}

func testDenied(t *testing.T, n Network) {
	n.Up()
	c, got := start(t, n, "a")
	listen(t, c, DeniedToken+".x", "x")
	must(t, c.Publish(DeniedToken+".x", nil))
	if e := got.FirstEvent(transport.Denied); e.Subject != DeniedToken+".x" {
		t.Errorf("denied: %q", e.Subject)
	}
	must(t, c.Publish("x", nil))
	got.Has(1, "x=")
	if len(got.Messages()) != 1 {
		t.Errorf("got %q", got.Messages())
	}
}

func testClose(t *testing.T, n Network) {
	unstarted := n.Dial("b")
	unstarted.Close()
	if err := unstarted.Start(NewRecorder(t)); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("Start after Close: %v", err)
	}
	searching, log := n.Dial("c"), NewRecorder(t)
	must(t, searching.Start(log))
	searching.Close()
	if all := log.Log(); len(all) == 0 || all[len(all)-1] != "closed" {
		t.Errorf("closed while looking for a server: %q", all)
	}
	n.Up()
	c, got := start(t, n, "a")
	listen(t, c, "x")
	for range 3 {
		c.Close()
	}
	if want := []string{"connected", "closed"}; !slices.Equal(got.Log(), want) {
		t.Errorf("got %q, want %q", got.Log(), want)
	}
	for what, err := range map[string]error{"publish": c.Publish("x", nil), "subscribe": c.Subscribe("y"), "flush": c.Flush()} {
		if !errors.Is(err, transport.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if c.Connected() {
		t.Error("connected after Close")
	}
}

func testOverrun(t *testing.T, n Network) {
	n.Up()
	c, got := n.Dial(SmallQueue), NewRecorder(t)
	t.Cleanup(c.Close)
	release, held := make(chan struct{}), make(chan struct{}, 1000)
	got.Hold = func(string) { held <- struct{}{}; <-release }
	must(t, c.Start(got))
	got.Has(1, "connected")
	listen(t, c, "x")
	must(t, c.Publish("x", nil))
	<-held
	const sent = 500
	for range sent {
		must(t, c.Publish("x", nil))
	}
	must(t, c.Flush())
	close(release)
	if e := got.FirstEvent(transport.Overrun); e.Count == 0 || e.Subject != "x" {
		t.Errorf("overrun: %+v", e)
	}
	must(t, c.Publish("x", []byte("end")))
	got.Has(1, "x=end")
	if len(got.Messages()) > sent {
		t.Errorf("%d messages: nothing was lost", len(got.Messages()))
	}
}

// SmallQueue is the name of connections whose queue holds fewer than 100 messages.
const SmallQueue = "small-queue"
