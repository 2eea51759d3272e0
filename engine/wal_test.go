package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// TestADamagedWriteAheadLog flips a bit in the write-ahead log of a process that was killed, or cuts it off there. The commits from there on are gone: what
// the sender loses so was not delivered yet, as in a power cut without syncs, and what the reader loses it gets again, with its effects once.
func TestADamagedWriteAheadLog(t *testing.T) {
	for name, damage := range map[string]func(d *crashvfs.Disk, at int){
		"a flipped bit": func(d *crashvfs.Disk, at int) { d.FlipBit(walFile, int64(at)*8) },
		"cut off":       func(d *crashvfs.Disk, at int) { d.WriteFile(walFile, d.ReadFile(walFile)[:at]) },
	} {
		for _, whose := range []string{"alice", "bob"} {
			t.Run(name+" at "+whose, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { damagedWAL(t, whose, damage) })
			})
		}
	}
}

const walFile = "node.db-wal"

// walNodes are alice, who sends, and bob, who writes down in his state what he handles.
type walNodes struct {
	t       *testing.T
	network *memconn.Network
	disks   map[string]*crashvfs.Disk
	running map[string]*harness.Harness
	nodes   map[string]*rmds.Connection
}

func (w *walNodes) start(id string) {
	w.t.Helper()
	c := rmds.DefaultConfig()
	c.NodeID, c.StoragePath, c.EnableCompression = id, "node.db", false
	h := &harness.Harness{Dial: w.network.Dial, VFS: w.disks[id].Name()}
	connection, err := rmds.New(c, rmds.SetHarness(h))
	if err != nil {
		w.t.Fatalf("start %s: %v", id, err)
	}
	w.running[id], w.nodes[id] = h, connection
	if id == "alice" {
		connection.Join("chat", rmds.WriteOnly)
		return
	}
	all := w.seen() // and not what is durable at each call: that may lag behind
	if err := connection.Join("chat", rmds.ReadOnly).Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
		all += string(m.Data) + ";"
		return rmds.Result{Effects: rmds.Effects{State: []rmds.StateChange{{Namespace: "seen", Key: []byte("all"), Value: []byte(all)}}}}
	}); err != nil {
		w.t.Fatal(err)
	}
}

// seen is what bob has on record as handled.
func (w *walNodes) seen() string {
	value, _, err := w.nodes["bob"].State().Get("seen", []byte("all"))
	if err != nil {
		w.t.Error(err)
	}
	return string(value)
}

// kill ends a process, damages its write-ahead log where a text was first written to it, and starts it again.
func (w *walNodes) kill(id, text string, damage func(d *crashvfs.Disk, at int)) {
	w.t.Helper()
	old := w.disks[id]
	w.disks[id] = old.Restart()
	w.running[id].Abort()
	old.Close()
	at := bytes.Index(w.disks[id].ReadFile(walFile), []byte(text))
	if at < 0 {
		w.t.Fatalf("%q is not in the write-ahead log of %s", text, id)
	}
	damage(w.disks[id], at)
	w.start(id)
}

func (w *walNodes) send(from, to int) (sent string) {
	w.t.Helper()
	for i := from; i <= to; i++ {
		text := fmt.Sprintf("message %d", i)
		if err := w.nodes["alice"].Channel("chat").SendMessage(text); err != nil {
			w.t.Fatal(err)
		}
		sent += text + ";"
		time.Sleep(time.Second) // a commit for each
	}
	return sent
}

func damagedWAL(t *testing.T, whose string, damage func(d *crashvfs.Disk, at int)) {
	w := &walNodes{t: t, network: memconn.NewNetwork(1), disks: map[string]*crashvfs.Disk{"alice": crashvfs.New(1), "bob": crashvfs.New(2)},
		running: map[string]*harness.Harness{}, nodes: map[string]*rmds.Connection{}}
	w.start("bob")
	w.start("alice")
	time.Sleep(time.Minute)
	want := w.send(1, 10)
	if whose == "alice" {
		w.network.Disconnect("bob") // so that what alice loses is not delivered yet
	}
	want += w.send(11, 14)
	second := w.send(15, 20)
	w.kill(whose, "message 15", damage)
	if whose == "bob" {
		if got := w.seen(); got == want+second || !strings.HasPrefix(want, got) {
			t.Errorf("bob's state after the damage is %q: nothing was lost, or something else", got)
		}
		want += second // he gets it again
	}
	time.Sleep(time.Minute)
	w.network.Reconnect("bob")
	want += w.send(21, 30)
	time.Sleep(time.Minute)
	if got := w.seen(); got != want {
		t.Errorf("bob handled %q, want %q", got, want)
	}
	if a := w.nodes["alice"].Accounts()[0]; !a.Balanced() || a.Pending != 0 {
		t.Errorf("account %+v", a)
	}
	for _, c := range w.nodes {
		if err := c.Unsubscribe(); err != nil {
			t.Error(err)
		}
	}
	for _, d := range w.disks {
		d.Close()
	}
}
