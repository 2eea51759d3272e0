package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// rw is a node that both sends and reads on one channel.
type rw struct {
	*rmds.Connection
	out *rmds.Channel
	got *collector
}

func startRW(t *testing.T, network *enginetest.Network, id string) rw {
	t.Helper()
	c := network.Connect(t, id)
	n := rw{c, c.Join("chat", rmds.RW), &collector{}}
	if err := n.out.OnMessage(n.got.handle); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n rw) wants(t *testing.T, want []string) {
	t.Helper()
	if got := n.got.list(); !slices.Equal(got, want) {
		t.Errorf("%s handled %q, want %q", n.NodeID(), got, want)
	}
}

func minute() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

// TestARenamedNodeGoesOnWhereItWas: messages wait in both directions across the rename, whichever of the two was away, and however the node ended.
func TestARenamedNodeGoesOnWhereItWas(t *testing.T) {
	for name, c := range map[string]struct{ crash, otherAway bool }{
		"in order": {}, "after a crash": {crash: true}, "while the other is away": {otherAway: true}, "after a crash, while the other is away": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := enginetest.NewNetwork(t)
				alice, bob := startRW(t, network, "alice"), startRW(t, network, "bob")
				minute()
				sendAll(t, alice.out, numbered(1, 5))
				sendAll(t, bob.out, numbered(101, 105))
				minute()
				bob.wants(t, numbered(1, 5))
				alice.wants(t, numbered(101, 105))
				network.Partition("alice", "bob")
				sendAll(t, alice.out, numbered(6, 10))
				sendAll(t, bob.out, numbered(106, 110)) // it takes them along
				if c.crash {
					network.Kill("bob")
				} else if err := bob.Unsubscribe(); err != nil {
					t.Fatal(err)
				}
				if c.otherAway {
					network.Kill("alice")
				}
				network.Rename(t, "bob", "rob")
				earlier := alice.got.list()
				if c.otherAway {
					alice = startRW(t, network, "alice")
					earlier = nil
				}
				rob := startRW(t, network, "rob")
				sendAll(t, alice.out, numbered(11, 12))
				sendAll(t, rob.out, numbered(111, 112))
				minute()
				minute()
				rob.wants(t, numbered(6, 12))
				alice.wants(t, append(earlier, numbered(106, 112)...))
				for _, n := range []rw{alice, rob} {
					known(t, n, map[string]string{"alice": "rob", "rob": "alice"}[n.NodeID()], 12)
				}
				if err := rob.Mgmt.Kick("bob"); !errors.Is(err, rmds.ErrLeft) {
					t.Errorf("kick of the old name: %v", err)
				}
				// What was put on record holds when the other one starts anew.
				network.Kill("alice")
				alice = startRW(t, network, "alice")
				sendAll(t, alice.out, numbered(13, 14))
				time.Sleep(5 * time.Second)
				rob.wants(t, numbered(6, 14))
				known(t, alice, "rob", 14)
			})
		})
	}
}

// known checks that a node knows one other node, by its name of now, and that everything sent to it was handled.
func known(t *testing.T, n rw, other string, handled uint64) {
	t.Helper()
	accounts := n.Accounts()
	if len(accounts) != 1 || accounts[0].Reader != other || accounts[0].Ended || accounts[0].Handled != handled || accounts[0].Pending > 0 || !accounts[0].Balanced() {
		t.Errorf("%s has the accounts %+v, want one, of %s with %d handled", n.NodeID(), accounts, other, handled)
	}
	if in := n.Inbound(); len(in) != 1 || in[0].Sender != other {
		t.Errorf("%s received from %+v, want from %s", n.NodeID(), in, other)
	}
	var names []string
	for _, m := range n.Mgmt.Nodes() {
		names = append(names, m.ID)
	}
	if !slices.Equal(names, []string{n.NodeID(), other}) {
		t.Errorf("%s lists the nodes %v", n.NodeID(), names)
	}
}

// TestOwnMessagesOutliveARename: a node that reads what it sends has itself on record too.
func TestOwnMessagesOutliveARename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		var c *rmds.Connection
		join := func(id string) *rmds.Channel {
			c = network.Connect(t, id)
			ch, err := c.JoinChannel("work", rmds.RW, rmds.Own())
			if err != nil {
				t.Fatal(err)
			}
			return ch
		}
		sendAll(t, join("bob"), numbered(1, 3)) // nobody handles them yet
		minute()
		network.Kill("bob")
		network.Rename(t, "bob", "rob")
		rob, got := join("rob"), &collector{}
		if err := rob.OnMessage(got.handle); err != nil {
			t.Fatal(err)
		}
		minute()
		if list := got.list(); !slices.Equal(list, numbered(1, 3)) {
			t.Errorf("handled %q", list)
		}
		if a := c.Accounts(); len(a) != 1 || a[0].Reader != "rob" || a[0].Pending > 0 {
			t.Errorf("accounts %+v", a)
		}
	})
}

// TestAKickReachesTheNewName: it holds for the new name.
func TestAKickReachesTheNewName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.network.Kill("bob")
		minute()
		if err := p.alice.Mgmt.Kick("bob"); err != nil {
			t.Fatal(err)
		}
		p.network.Rename(t, "bob", "rob")
		rob := p.network.Connect(t, "rob")
		if err := rob.Join("chat", rmds.ReadOnly).OnMessage(p.got.handle); err != nil {
			t.Fatal(err)
		}
		p.send(3)
		p.settle()
		p.wants(1, 0)
		if joined := rob.Joined(); len(joined) > 0 {
			t.Errorf("the node that was kicked under its old name is still in %+v", joined)
		}
	})
}

// TestACloneUnderAnotherNameGetsNothing: as long as the one whose database it is lives; and that one gets its place back when it returns.
func TestACloneUnderAnotherNameGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(2)
		p.settle()
		p.network.Connect(t, "eve")
		p.network.Restore("eve", p.network.Backup("bob"))
		p.network.Rename(t, "eve", "eve")
		eve, stolen := p.network.Connect(t, "eve"), &collector{}
		if err := eve.Join("chat", rmds.ReadOnly).OnMessage(stolen.handle); err != nil {
			t.Fatal(err)
		}
		p.send(3)
		p.settle()
		p.wants(1, 5)
		if list := stolen.list(); len(list) > 0 {
			t.Errorf("the clone got %q", list)
		}
		p.network.Kill("bob")
		p.settle()
		p.send(2)
		p.settle()
		if list := stolen.list(); len(list) == 0 {
			t.Error("a node whose old name is gone gets nothing")
		}
		p.startBob()
		p.settle()
		p.wants(6, 7) // its own place counts, whatever the other one has reported
		p.send(1)
		p.settle()
		p.wants(6, 8)
		if a := p.current(); a.Reader != "bob" {
			t.Errorf("account %+v", a)
		}
	})
}

func nodeOn(t *testing.T, path, id string) *rmds.Config {
	c := rmds.DefaultConfig()
	c.NodeID, c.StoragePath, c.NATSServers = id, path, []string{"nats://127.0.0.1:1"}
	return c
}

// stored starts a node, keeps a message there, and stops it.
func stored(t *testing.T, c *rmds.Config) (store, id string) {
	t.Helper()
	n, err := rmds.New(c)
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, n.Join("chat", rmds.WriteOnly), []string{"one"})
	store, id = n.StoreID(), n.NodeID()
	if err := n.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	return store, id
}

func TestRenameMovesTheDatabase(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"file": "data/{nodeID}.db", "folder": "all/{nodeID}/node.db", "fixed": "fixed/node.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, path)
			before, _ := stored(t, nodeOn(t, path, "bob"))
			done, err := rmds.RenameNode(nodeOn(t, path, "bob"), "rob")
			if want := (rmds.Renamed{Before: "bob", After: "rob", Path: strings.ReplaceAll(path, "{nodeID}", "rob")}); err != nil || done != want {
				t.Fatal(done, err)
			}
			want := rmds.ErrRenamed
			if name == "fixed" {
				want = rmds.ErrNodeID
			}
			if _, err := rmds.New(nodeOn(t, path, "bob")); !errors.Is(err, want) {
				t.Errorf("the old id: %v, want %v", err, want)
			}
			if after, _ := stored(t, nodeOn(t, path, "rob")); after != before {
				t.Error("it is another database")
			}
		})
	}
}

// TestRenameOfADerivedID: the id that is kept beside the database changes with it.
func TestRenameOfADerivedID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "{nodeID}", "node.db")
	before, first := stored(t, nodeOn(t, path, ""))
	if done, err := rmds.RenameNode(nodeOn(t, path, ""), "rob"); err != nil || done.Before != first {
		t.Fatal(done, err)
	}
	if after, id := stored(t, nodeOn(t, path, "")); after != before || id != "rob" {
		t.Errorf("node %s, the same database: %v", id, after == before)
	}
}

func TestRenameRefuses(t *testing.T) {
	dir := t.TempDir()
	moving, fixed := filepath.Join(dir, "{nodeID}.db"), filepath.Join(dir, "fixed", "node.db")
	stored(t, nodeOn(t, moving, "bob"))
	stored(t, nodeOn(t, moving, "ted"))
	stored(t, nodeOn(t, fixed, "bob"))
	running, err := rmds.New(nodeOn(t, moving, "carol"))
	if err != nil {
		t.Fatal(err)
	}
	defer running.Unsubscribe()
	for _, c := range []struct {
		path, id, to string
		want         error
	}{
		{moving, "bob", "bo b", rmds.ErrName},
		{moving, "bob", "", rmds.ErrName},
		{moving, "bob", "bob", rmds.ErrRename},
		{moving, "bob", "ted", rmds.ErrRename},
		{moving, "bob", "carol", rmds.ErrRename},
		{moving, "carol", "rob", rmds.ErrStorageInUse},
		{moving, "nobody", "rob", fs.ErrNotExist},
		{fixed, "bob", "bob", rmds.ErrRename},
		{fixed, "ted", "rob", rmds.ErrNodeID},
		{filepath.Join(dir, "none.db"), "bob", "rob", fs.ErrNotExist},
	} {
		if done, err := rmds.RenameNode(nodeOn(t, c.path, c.id), c.to); !errors.Is(err, c.want) || done != (rmds.Renamed{}) {
			t.Errorf("%s of %s to %q: %+v, %v; want %v", c.id, filepath.Base(c.path), c.to, done, err, c.want)
		}
	}
	for _, path := range []string{moving, fixed} {
		stored(t, nodeOn(t, path, "bob")) // nothing has changed
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.rename*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db.lock")); err == nil {
		t.Error("a lock was made for a database that does not exist")
	}
}
