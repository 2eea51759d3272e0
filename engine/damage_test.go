package engine_test

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// TestADamagedBatchEndsAsCorrupt flips a bit in the database of a node whose reader is away: the other messages arrive. One batch is read as
// a whole, the other in parts.
func TestADamagedBatchEndsAsCorrupt(t *testing.T) {
	for name, size := range map[string]int{"small": 40_000, "large": 4 << 20} {
		t.Run(name, func(t *testing.T) { damagedAtRest(t, size) })
	}
}

func damagedAtRest(t *testing.T, size int) {
	synctest.Test(t, func(t *testing.T) {
		network := memconn.NewNetwork(1)
		disks := map[string]*crashvfs.Disk{"alice": crashvfs.New(1), "bob": crashvfs.New(2)}
		connect := func(id string) *rmds.Connection {
			c := rmds.DefaultConfig()
			c.NodeID, c.StoragePath, c.EnableCompression = id, "node.db", false
			connection, err := rmds.New(c, rmds.SetHarness(&harness.Harness{Dial: network.Dial, VFS: disks[id].Name()}))
			if err != nil {
				t.Fatal(err)
			}
			return connection
		}
		bob := connect("bob")
		seen := acked(t, bob.Join("chat", rmds.ReadOnly))
		alice := connect("alice")
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		network.Disconnect("bob")
		for _, data := range [][]byte{[]byte("one"), append(bytes.Repeat([]byte{'1'}, size/2), bytes.Repeat([]byte{'2'}, size/2)...), []byte("three")} {
			if err := chat.SendMessage(data); err != nil {
				t.Fatal(err)
			}
		}
		if err := alice.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(disks["alice"].ReadFile("node.db"), bytes.Repeat([]byte{'2'}, 8000))
		if at < 0 {
			t.Fatal("the message is not in the database")
		}
		disks["alice"].FlipBit("node.db", int64(at+4000)*8)
		alice = connect("alice")
		alice.Join("chat", rmds.WriteOnly)
		network.Reconnect("bob")
		time.Sleep(time.Minute)
		if got := seen(); !slices.Equal(got, []string{"one", "three"}) {
			t.Errorf("%d messages arrived, want the first and the last of three", len(got))
		}
		if a := alice.Accounts()[0]; !a.Balanced() || a.Corrupt != 1 || a.Handled != 2 || a.Pending != 0 {
			t.Errorf("%+v", a)
		}
		if err := alice.Mgmt.PurgeSent(rmds.Self); err != nil {
			t.Errorf("what is damaged keeps the rest from being removed: %v", err)
		}
		for _, c := range []*rmds.Connection{alice, bob} {
			if err := c.Unsubscribe(); err != nil {
				t.Error(err)
			}
		}
		for _, d := range disks {
			d.Close()
		}
	})
}
