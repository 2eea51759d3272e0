package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// lone returns a node without a network that reads its own messages.
func lone(t *testing.T, change func(*rmds.Config)) (*rmds.Connection, *rmds.Channel) {
	t.Helper()
	c := testConfig(t, t.TempDir(), "lone", 1)
	c.ACKTimeout = 30 * time.Millisecond
	c.DeliveryRetryInterval = 10 * time.Millisecond
	c.MaxRetryAttempts = 3
	if change != nil {
		change(c)
	}
	connection := open(t, c)
	ch, err := connection.JoinChannel("work", rmds.RW, rmds.Own())
	if err != nil {
		t.Fatal(err)
	}
	return connection, ch
}

func account(t *testing.T, c *rmds.Connection, done func(rmds.Account) bool) rmds.Account {
	t.Helper()
	var a rmds.Account
	eventually(t, "the account is as expected", func() bool {
		if list := c.Accounts(); len(list) == 1 {
			a = list[0]
			return done(a)
		}
		return false
	})
	if !a.Balanced() {
		t.Fatalf("account %+v does not balance", a)
	}
	return a
}

func TestOwnMessagesWithoutANetwork(t *testing.T) {
	connection, ch := lone(t, nil)
	c := &collector{}
	if err := ch.OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, numbered(1, 50))
	expect(t, "lone", c, numbered(1, 50))
	account(t, connection, func(a rmds.Account) bool { return a.Handled == 50 && a.Pending == 0 })
}

func TestNothingIsAcknowledgedWithoutAConsumer(t *testing.T) {
	connection, ch := lone(t, nil)
	sendAll(t, ch, numbered(1, 5))
	a := account(t, connection, func(a rmds.Account) bool { return a.Pending == 5 })
	if a.Handled != 0 {
		t.Fatalf("without a consumer: %+v", a)
	}
	c := &collector{}
	if err := ch.OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	expect(t, "lone", c, numbered(1, 5))
}

func TestFailedAttemptsEndInADeadLetter(t *testing.T) {
	connection, ch := lone(t, nil)
	var attempts []int
	err := ch.OnMessage(func(m *rmds.Message) {
		switch string(m.Data) {
		case "nack":
			attempts = append(attempts, m.Attempt)
			_ = m.Nack(time.Millisecond)
		case "reject":
			_ = m.Reject("no use")
		case "silent":
		default:
			_ = m.Ack()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, []string{"nack", "reject", "silent", "good"})
	account(t, connection, func(a rmds.Account) bool { return a.Handled == 1 && a.Dead == 3 && a.Pending == 0 })
	if fmt.Sprint(attempts) != "[1 2 3]" {
		t.Errorf("attempts %v, want 1, 2, 3 and then a dead letter", attempts)
	}
}

func TestLateAndDoubleAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the second attempt's time does not run out while it is looked at
		ch, err := enginetest.NewNetwork(t).Connect(t, "lone").JoinChannel("work", rmds.RW, rmds.Own())
		if err != nil {
			t.Fatal(err)
		}
		held := make(chan *rmds.Message, 10)
		if err := ch.OnMessage(func(m *rmds.Message) { held <- m }); err != nil {
			t.Fatal(err)
		}
		sendAll(t, ch, []string{"x"})
		first, second := <-held, <-held
		if err := first.Ack(); !errors.Is(err, rmds.ErrStale) {
			t.Errorf("ack of an attempt that has ended: %v", err)
		}
		if second.Attempt != 2 || second.ID != first.ID {
			t.Errorf("attempt %d of %s after attempt 1 of %s", second.Attempt, second.ID, first.ID)
		}
		if err := errors.Join(second.Ack(), second.Ack()); err != nil {
			t.Errorf("two acks: %v", err)
		}
		if err := second.Reject("changed my mind"); !errors.Is(err, rmds.ErrStale) {
			t.Errorf("reject after ack: %v", err)
		}
	})
}

func TestSeveralCallbacksRunInOrder(t *testing.T) {
	_, ch := lone(t, nil)
	var order atomic.Value
	order.Store("")
	for _, name := range []string{"a", "b"} {
		if err := ch.OnMessage(func(m *rmds.Message) { order.Store(order.Load().(string) + name); _ = m.Ack() }); err != nil {
			t.Fatal(err)
		}
	}
	sendAll(t, ch, []string{"x"})
	eventually(t, "both were called", func() bool { return order.Load() == "ab" })
}

func TestEffectsCommitWithTheMessage(t *testing.T) {
	connection, ch := lone(t, nil)
	out, err := connection.JoinChannel("out", rmds.RW, rmds.Own())
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	if err := out.OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	var settled, calls atomic.Int32
	err = ch.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
		if calls.Add(1) == 1 {
			return rmds.Result{Verdict: rmds.Retry, Effects: rmds.Effects{Emits: []rmds.Emit{{Channel: "out", Data: []byte("discarded")}}}}
		}
		return rmds.Result{
			Effects: rmds.Effects{Emits: []rmds.Emit{{Channel: "out", Data: append([]byte("from "), m.Data...)}}, State: []rmds.StateChange{{Namespace: "n", Key: []byte("last"), Value: m.Data}}},
			Settled: func(err error) {
				if err == nil {
					settled.Add(1)
				}
			},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, []string{"one", "two"})
	expect(t, "out", c, []string{"from one", "from two"})
	eventually(t, "both are settled", func() bool { return settled.Load() == 2 })
	if v, ok, err := connection.State().Get("n", []byte("last")); err != nil || !ok || string(v) != "two" {
		t.Errorf("state: %q %v %v", v, ok, err)
	}
	if key, ok, err := connection.State().Next("n", nil); err != nil || !ok || string(key) != "last" {
		t.Errorf("first key: %q %v %v", key, ok, err)
	}
}

func TestDelayedEmitWaitsAndSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	config := testConfig(t, dir, "lone", 1)
	connection, err := rmds.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connection.JoinChannel("work", rmds.RW, rmds.Own()); err != nil {
		t.Fatal(err)
	}
	const delay = 300 * time.Millisecond
	effects := rmds.Effects{Emits: []rmds.Emit{{Channel: "work", Data: []byte("later"), Delay: delay}, {Channel: "work", Data: []byte("now")}}}
	began := time.Now()
	if _, err := connection.Commit(context.Background(), effects, nil); err != nil {
		t.Fatal(err)
	}
	if n := connection.Mgmt.Statistic()["queued"]; n != 1 && time.Since(began) < delay {
		t.Errorf("%d messages queued at once, want 1", n)
	}
	if err := connection.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	ch, err := open(t, config).JoinChannel("work", rmds.RW, rmds.Own())
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	if err := ch.OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	expect(t, "lone", c, []string{"now", "later"})
}

func TestEffectsThatCannotBeStoredEndTheMessage(t *testing.T) {
	connection, ch := lone(t, nil)
	err := ch.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
		return rmds.Result{Effects: rmds.Effects{State: []rmds.StateChange{{Namespace: "n", Key: []byte("k"), Value: make([]byte, len(m.Data)<<20)}}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, []string{"123456789", "1"})
	account(t, connection, func(a rmds.Account) bool { return a.Dead == 1 && a.Handled == 1 })
}

func TestReadingItsOwnMessagesCanEnd(t *testing.T) {
	dir := t.TempDir()
	config := testConfig(t, dir, "lone", 1)
	config.MaxMessagesPerReceiver = 5
	connection, err := rmds.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := connection.JoinChannel("work", rmds.RW, rmds.Own())
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, numbered(1, 2))
	eventually(t, "the reader is on record", func() bool { return len(connection.Accounts()) == 1 })
	if err := connection.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	connection = open(t, config)
	connection.Join("work", rmds.RW)
	a := account(t, connection, func(a rmds.Account) bool { return a.Ended })
	if a.Removed != 2 {
		t.Errorf("account %+v, want 2 removed", a)
	}
}

func TestALoopOfEmitsIsCut(t *testing.T) {
	connection, ch := lone(t, func(c *rmds.Config) { c.HopLimit = 5 })
	if err := ch.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
		return rmds.Result{Effects: rmds.Effects{Emits: []rmds.Emit{{Channel: "work", Data: m.Data}}}}
	}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, []string{"round"})
	account(t, connection, func(a rmds.Account) bool { return a.Accepted == 6 && a.Handled == 5 && a.Dead == 1 })
}

func TestExpiryIsDecidedBeforeTheFirstAttempt(t *testing.T) {
	connection, ch := lone(t, nil)
	if err := ch.SendMessage("brief", rmds.Timeout(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, []string{"lasting"})
	sent := connection.Status().Uptime
	eventually(t, "the brief one has had its time", func() bool { return connection.Status().Uptime > sent+50*time.Millisecond })
	c := &collector{}
	if err := ch.OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	expect(t, "lone", c, []string{"lasting"})
	account(t, connection, func(a rmds.Account) bool { return a.Expired == 1 && a.Handled == 1 && a.Pending == 0 })
}

func TestQueueLimitRefusesTheSend(t *testing.T) {
	connection, ch := lone(t, func(c *rmds.Config) { c.MaxMessagesPerReceiver = 3 })
	sendAll(t, ch, numbered(1, 3))
	eventually(t, "the reader is on record", func() bool { return len(connection.Accounts()) == 1 })
	err := ch.SendMessage("one too many")
	if !errors.Is(err, rmds.ErrReaderFull) || !strings.Contains(err.Error(), "lone") {
		t.Fatalf("a fourth message with a limit of three: %v", err)
	}
	c := &collector{}
	if err := ch.OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	expect(t, "lone", c, numbered(1, 3))
	eventually(t, "there is room again", func() bool { return ch.SendMessage("message 4") == nil })
}

func TestOverflowDrops(t *testing.T) {
	for _, x := range []struct {
		policy rmds.Overflow
		want   []string
	}{{rmds.OverflowDropOldest, numbered(8, 10)}, {rmds.OverflowDropNewest, numbered(1, 3)}} {
		t.Run(string(x.policy), func(t *testing.T) {
			connection, ch := lone(t, func(c *rmds.Config) { c.MaxMessagesPerReceiver, c.Overflow = 3, x.policy })
			other := connection.Join("other", rmds.WriteOnly) // so that sequences of the channel have holes
			eventually(t, "the reader is on record", func() bool { return len(connection.Accounts()) == 1 })
			for _, m := range numbered(1, 10) {
				sendAll(t, ch, []string{m})
				sendAll(t, other, []string{m})
			}
			c := &collector{}
			if err := ch.OnMessage(c.handle); err != nil {
				t.Fatal(err)
			}
			expect(t, "lone", c, x.want)
			account(t, connection, func(a rmds.Account) bool { return a.Handled == 3 && a.Overflow == 7 && a.Pending == 0 })
		})
	}
}

func TestMisuseGivesErrorsThatSayWhat(t *testing.T) {
	dir := t.TempDir()
	config := testConfig(t, dir, "first", 1)
	config.MaxMessageSize = 1000
	connection := open(t, config)
	if err := connection.Join("no.dots", rmds.RW).SendMessage("x"); !errors.Is(err, rmds.ErrName) {
		t.Errorf("an illegal channel name: %v", err)
	}
	if _, err := connection.JoinChannel("with space", rmds.RW); !errors.Is(err, rmds.ErrName) {
		t.Errorf("an illegal channel name: %v", err)
	}
	if err := connection.Join("r", rmds.ReadOnly).SendMessage("x"); !errors.Is(err, rmds.ErrRole) {
		t.Errorf("a send on a read-only channel: %v", err)
	}
	w := connection.Join("w", rmds.WriteOnly)
	if err := w.OnMessage(func(*rmds.Message) {}); !errors.Is(err, rmds.ErrRole) {
		t.Errorf("a handler on a write-only channel: %v", err)
	}
	if err := w.SendMessage(make([]byte, 1001)); !errors.Is(err, rmds.ErrTooLarge) {
		t.Errorf("a message above the limit: %v", err)
	}
	if err := w.SendMessage(make([]byte, 1000)); err != nil {
		t.Errorf("a message at the limit: %v", err)
	}
	if _, err := connection.JoinChannel("w", rmds.RW); !errors.Is(err, rmds.ErrJoined) {
		t.Errorf("joining twice: %v", err)
	}
	if _, err := rmds.New(config); !errors.Is(err, rmds.ErrStorageInUse) {
		t.Errorf("the same database twice: %v", err)
	}
	if _, err := rmds.New(testConfig(t, dir, "has space", 1)); !errors.Is(err, rmds.ErrName) {
		t.Errorf("an illegal node id: %v", err)
	}
	bad := testConfig(t, dir, "bad", 1)
	bad.MaxInFlight, bad.Ordering = -1, "sideways"
	if _, err := rmds.New(bad); !errors.Is(err, rmds.ErrConfig) || !strings.Contains(err.Error(), "MaxInFlight") || !strings.Contains(err.Error(), "sideways") {
		t.Errorf("two bad values: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bad.db")); err == nil {
		t.Error("a refused configuration has left a database behind")
	}
	if err := connection.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if err := w.SendMessage("late"); !errors.Is(err, rmds.ErrClosed) {
		t.Errorf("a send after closing: %v", err)
	}
	other := testConfig(t, dir, "second", 1)
	other.StoragePath = config.StoragePath
	if _, err := rmds.New(other); !errors.Is(err, rmds.ErrNodeID) {
		t.Errorf("another node's database: %v", err)
	}
}

func TestTapSeesWhatIsSentAndHandled(t *testing.T) {
	connection, ch := lone(t, nil)
	seen := make(chan string, 10)
	stop := connection.Tap("work", func(m *rmds.Message, _ uint64) { seen <- fmt.Sprint(string(m.Data), m.Outgoing) })
	if err := ch.AckUnhandled(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, []string{"x"})
	if got := []string{<-seen, <-seen}; fmt.Sprint(got) != "[xtrue xfalse]" && fmt.Sprint(got) != "[xfalse xtrue]" {
		t.Errorf("a tap saw %v", got)
	}
	stop()
	sendAll(t, ch, []string{"y"})
	account(t, connection, func(a rmds.Account) bool { return a.Handled == 2 })
	if len(seen) != 0 {
		t.Error("a tap that was stopped saw more")
	}
}

func TestLargeMessageTravelsInPieces(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	alice := open(t, testConfig(t, dir, "alice", port)).Join("big", rmds.WriteOnly)
	got := make(chan int, 4)
	if err := open(t, testConfig(t, dir, "bob", port)).Join("big", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { got <- len(m.Data); _ = m.Ack() }); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{10, 5 << 20, 20} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * i >> 3) // not to be compressed away
		}
		if err := alice.SendMessage(data); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int{10, 5 << 20, 20} {
		select {
		case n := <-got:
			if n != size {
				t.Fatalf("%d bytes came, want %d", n, size)
			}
		case <-time.After(patience):
			t.Fatalf("%d bytes did not come", size)
		}
	}
}

func TestADerivedNodeIDIsKept(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := rmds.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile("rmds-node-id"); err != nil || strings.TrimSpace(string(kept)) != first.NodeID() {
		t.Fatalf("kept id %q, %v; want %q", kept, err, first.NodeID())
	}
	if err := os.WriteFile("rmds-node-id", []byte("an-older-name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := rmds.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Unsubscribe()
	if second.NodeID() != "an-older-name" {
		t.Errorf("node id %q, want the one that was kept", second.NodeID())
	}
}
