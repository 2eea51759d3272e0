// Package enginetest lets a program that embeds the engine test itself: nodes on a network and disks in memory, which can be broken
// like real ones. Nothing leaves the process, so tests are quick and need no NATS server, and they run inside testing/synctest bubbles,
// where hours of silence cost nothing.
//
//	func TestChat(t *testing.T) {
//		network := enginetest.NewNetwork(t)
//		alice := network.Connect(t, "alice")
//		bob := network.Connect(t, "bob")
//		…
//		network.Kill("bob")                // as kill -9 would
//		bob = network.Connect(t, "bob")    // with what its disk holds
//	}
//
// In a bubble, NewNetwork belongs inside of it.
package enginetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// Network is a network of nodes in memory. Its methods are safe for concurrent use.
type Network struct {
	wires *memconn.Network

	mu    sync.Mutex
	nodes map[string]*node
}

// node is one node id: its disk, and the connection that has it open.
type node struct {
	disk       *crashvfs.Disk
	connection *engine.Connection // nil: not connected
	abort      func()
	ahead      atomic.Int64 // of its wall clock, in nanoseconds
}

// Faults are what befalls the frames between nodes. Probabilities are from 0 to 1.
type Faults struct {
	Drop      float64 // a frame is lost
	Duplicate float64 // it comes twice
	Reorder   float64 // others pass it
	Truncate  float64 // its end is missing
	Corrupt   float64 // some of its bits are flipped

	MinDelay, MaxDelay time.Duration
}

// NewNetwork returns a network without nodes and without faults. When the test ends, the connections that are still open are closed.
func NewNetwork(t testing.TB) *Network {
	n := &Network{wires: memconn.NewNetwork(1), nodes: map[string]*node{}}
	t.Cleanup(func() { n.close(t) })
	return n
}

func (n *Network) close(t testing.TB) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, node := range n.nodes {
		if node.connection != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if err := node.connection.Close(ctx); err != nil {
				t.Errorf("close node %s: %v", id, err)
			}
			cancel()
		}
		node.disk.Close()
	}
	clear(n.nodes)
}

// Connect starts the node id, with DefaultConfig as the options change it. The node finds the disk that it had before, an empty one the
// first time. It fails the test if the node is running: close its connection first, or end it with Kill or PowerCut.
func (n *Network) Connect(t testing.TB, id string, opts ...engine.Option) *engine.Connection {
	t.Helper()
	return n.ConnectWith(t, id, engine.DefaultConfig(), opts...)
}

// ConnectWith is Connect with a configuration, of which the node id, the path and the servers do not count.
func (n *Network) ConnectWith(t testing.TB, id string, c *engine.Config, opts ...engine.Option) *engine.Connection {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.open(t, n.node(id), id, c, opts)
}

// open starts a node; n.mu is held.
func (n *Network) open(t testing.TB, at *node, id string, c *engine.Config, opts []engine.Option) *engine.Connection {
	t.Helper()
	h := &harness.Harness{Dial: n.wires.Dial, VFS: at.disk.Name(), Wall: func() time.Time { return time.Now().Add(time.Duration(at.ahead.Load())) }}
	opts = append(opts[:len(opts):len(opts)], engine.SetID(id), engine.SetStoragePath("node.db"), engine.SetHarness(h))
	connection, err := engine.New(c, opts...)
	if err != nil {
		t.Fatalf("start node %s: %v", id, err)
	}
	at.connection, at.abort = connection, h.Abort
	return connection
}

// Kill ends a node as the end of its process would, at this moment: nothing is drained and nobody is told. What it has written to its
// disk stays. It returns when the node's goroutines have ended, so handlers must come to an end.
func (n *Network) Kill(id string) { n.crash(id, (*crashvfs.Disk).Restart) }

// PowerCut ends a node as a loss of power would: like Kill, and what was not synced to its disk is lost, in part or all of it.
func (n *Network) PowerCut(id string) { n.crash(id, (*crashvfs.Disk).PowerCut) }

func (n *Network) crash(id string, next func(*crashvfs.Disk) *crashvfs.Disk) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.nodes[id]
	if at == nil {
		return
	}
	old := at.disk
	at.disk = next(old)
	if at.connection != nil {
		at.abort()
	}
	at.connection = nil
	old.Close()
}

// Backup is a copy of a node's disk.
type Backup struct{ files *crashvfs.Snapshot }

// Backup copies the disk of a node, running or not; nil if there never was such a node. A copy made while the node writes may be torn, as any
// such backup.
func (n *Network) Backup(id string) *Backup {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := n.nodes[id]; at != nil {
		return &Backup{at.disk.Snapshot()}
	}
	return nil
}

// Restore ends a node as Kill would and puts its disk back to a backup, of this or another node; nil deletes what is there.
func (n *Network) Restore(id string, b *Backup) {
	n.crash(id, func(d *crashvfs.Disk) *crashvfs.Disk {
		if b == nil {
			return d.Restore(&crashvfs.Snapshot{})
		}
		return d.Restore(b.files)
	})
}

// Twin starts a second node of the same id, on a disk of its own that holds the backup, or nothing. Kill and the like know it by the name
// that it returns; its connection to the network shares what is done to the id's.
func (n *Network) Twin(t testing.TB, id string, b *Backup, opts ...engine.Option) (twin *engine.Connection, name string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	at := &node{disk: crashvfs.New(uint64(len(n.nodes)))}
	if b != nil {
		empty := at.disk
		at.disk = empty.Restore(b.files)
		empty.Close()
	}
	name = fmt.Sprintf("%s/%d", id, len(n.nodes))
	n.nodes[name] = at
	return n.open(t, at, id, engine.DefaultConfig(), opts), name
}

// Rename gives the database on a node's disk, which must not be running, another node id, by which the disk is known from now on. It fails the test if
// it cannot.
func (n *Network) Rename(t testing.TB, id, to string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.node(id)
	if _, err := engine.RenameNode(nil, to, engine.SetStoragePath("node.db"), engine.SetHarness(&harness.Harness{VFS: at.disk.Name()})); err != nil {
		t.Fatalf("rename node %s to %s: %v", id, to, err)
	}
	delete(n.nodes, id)
	n.nodes[to], at.connection = at, nil
}

// FillDisk makes a node's disk full, or gives it room again.
func (n *Network) FillDisk(id string, full bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := n.nodes[id]; at != nil {
		at.disk.SetFull(full)
	}
}

// LockDisk makes a node's disk one that nothing can be written to, or that can be written to again.
func (n *Network) LockDisk(id string, locked bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := n.nodes[id]; at != nil {
		at.disk.SetReadOnly(locked)
	}
}

// SetClock makes a node's wall clock run ahead of the others', or behind if the time is negative. It may be called before the node connects.
func (n *Network) SetClock(id string, ahead time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.node(id).ahead.Store(int64(ahead))
}

// node finds or makes a node; n.mu is held.
func (n *Network) node(id string) *node {
	at := n.nodes[id]
	if at == nil {
		at = &node{disk: crashvfs.New(uint64(len(n.nodes)))}
		n.nodes[id] = at
	}
	return at
}

// SetFaults changes what befalls frames from now on; the zero value ends it.
func (n *Network) SetFaults(f Faults) {
	n.wires.SetFaults(memconn.Faults{Drop: f.Drop, Duplicate: f.Duplicate, Reorder: f.Reorder, Truncate: f.Truncate, Corrupt: f.Corrupt,
		MinDelay: f.MinDelay, MaxDelay: f.MaxDelay, ReorderBy: max(10*f.MaxDelay, 10*time.Millisecond)})
}

// Disconnect cuts a node off from the network, until Reconnect.
func (n *Network) Disconnect(id string) { n.wires.Disconnect(id) }

// Reconnect ends Disconnect.
func (n *Network) Reconnect(id string) { n.wires.Reconnect(id) }

// Partition loses everything between two nodes, which stay connected, until Heal.
func (n *Network) Partition(a, b string) { n.wires.Partition(a, b) }

// Heal ends Partition.
func (n *Network) Heal(a, b string) { n.wires.Heal(a, b) }

// Down takes the whole network down, as if NATS had stopped, until Up.
func (n *Network) Down() { n.wires.Down() }

// Up ends Down.
func (n *Network) Up() { n.wires.Up() }
