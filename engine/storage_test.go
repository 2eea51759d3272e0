package engine_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// journal is a log that can be asked for the lines about the storage.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// storage returns how often a trouble of the storage began and ended, in lines.
func (j *journal) storage() (begun, ended int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), "the storage takes no messages"), strings.Count(j.text.String(), "the storage takes messages again")
}

// TestStorageTroubleIsVisible has a node's disk get full, and read-only, and well again.
func TestStorageTroubleIsVisible(t *testing.T) {
	for kind, c := range map[rmds.StorageKind]struct {
		hurt    func(n *enginetest.Network, on bool)
		refused error
	}{
		rmds.StorageDiskFull: {func(n *enginetest.Network, on bool) { n.FillDisk("alice", on) }, rmds.ErrStorageFull},
		rmds.StorageReadOnly: {func(n *enginetest.Network, on bool) { n.LockDisk("alice", on) }, rmds.ErrNotWritable},
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &journal{}
				network := enginetest.NewNetwork(t)
				seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
				alice := network.Connect(t, "alice", rmds.SetLogger(zerolog.New(log)))
				chat := alice.Join("chat", rmds.WriteOnly)
				time.Sleep(time.Minute)
				expect := func(want rmds.StorageKind, begun, ended int) {
					t.Helper()
					synctest.Wait()
					s := alice.Status().Storage
					if s.Kind != want || (s.Reason != "") != (want != rmds.StorageOK) || (alice.Mgmt.Statistic()["storage_trouble"] == 1) != (want != rmds.StorageOK) {
						t.Fatalf("%+v, want %q", s, want)
					}
					if b, e := log.storage(); b != begun || e != ended {
						t.Fatalf("%d lines that it began and %d that it ended, want %d and %d:\n%s", b, e, begun, ended, log.text.String())
					}
				}
				// fill sends until a message is refused, which takes none on a disk that is read-only.
				sent := 0
				fill := func() {
					t.Helper()
					for range 1000 {
						err := chat.SendMessage(noise(100 << 10))
						if err != nil && !errors.Is(err, c.refused) {
							t.Fatalf("%v, want %v", err, c.refused)
						}
						if err != nil {
							return
						}
						sent++
					}
					t.Fatal("nothing is refused")
				}
				expect(rmds.StorageOK, 0, 0)
				network.Disconnect("bob")
				c.hurt(network, true)
				fill()
				expect(kind, 1, 0)
				fill()
				time.Sleep(time.Hour)
				expect(kind, 1, 0)
				c.hurt(network, false)
				time.Sleep(10 * time.Second)
				expect(rmds.StorageOK, 1, 1)
				for range 20 { // it comes and goes: there are not more lines than one beginning in ten seconds
					c.hurt(network, true)
					fill()
					synctest.Wait()
					c.hurt(network, false)
					time.Sleep(5 * time.Second)
				}
				time.Sleep(time.Minute)
				if b, e := log.storage(); b != e || b > 12 || b < 3 {
					t.Fatalf("%d lines that it began and %d that it ended", b, e)
				}
				if err := chat.SendMessage("again"); err != nil {
					t.Fatal(err)
				}
				network.Reconnect("bob")
				time.Sleep(time.Minute)
				if got := len(seen()); got != sent+1 {
					t.Errorf("%d messages arrived, want %d", got, sent+1)
				}
				allBalanced(t, alice)
			})
		})
	}
}

// TestAReadOnlyReaderLosesNothing has the disk of a reader become read-only while messages come: none is acknowledged until they can be recorded, and
// none is handled twice for that.
func TestAReadOnlyReaderLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob := network.Connect(t, "bob")
		seen := acked(t, bob.Join("chat", rmds.ReadOnly))
		alice := network.Connect(t, "alice")
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		network.LockDisk("bob", true)
		for _, text := range numbered(1, 50) {
			if err := chat.SendMessage(text); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if s := bob.Status().Storage; s.Kind != rmds.StorageReadOnly {
			t.Fatalf("%+v", s)
		}
		if a := alice.Accounts()[0]; a.Handled != 0 || a.Pending != 50 {
			t.Fatalf("acknowledged before it was recorded: %+v", a)
		}
		network.LockDisk("bob", false)
		time.Sleep(time.Minute)
		if s := bob.Status().Storage; s.Kind != rmds.StorageOK {
			t.Fatalf("%+v", s)
		}
		if a := alice.Accounts()[0]; a.Handled != 50 || a.Pending != 0 {
			t.Fatalf("%+v", a)
		}
		if got := strings.Join(seen(), " "); got != strings.Join(numbered(1, 50), " ") {
			t.Errorf("handled %s", got)
		}
		allBalanced(t, alice)
	})
}

// TestABrokenDiskIsVisible fails a sync: nobody knows what was written, so the node stops, and says why.
func TestABrokenDiskIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		disk := crashvfs.New(1)
		defer disk.Close()
		network := memconn.NewNetwork(1)
		c, err := rmds.New(nil, rmds.SetID("alice"), rmds.SetStoragePath("node.db"), rmds.SetLogger(zerolog.New(log)), rmds.SetHarness(&harness.Harness{Dial: network.Dial, VFS: disk.Name()}))
		if err != nil {
			t.Fatal(err)
		}
		chat := c.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		disk.FailNext(crashvfs.Sync, crashvfs.ErrSync)
		if err := chat.SendMessage("one"); !errors.Is(err, rmds.ErrStorage) {
			t.Fatal(err)
		}
		<-c.Failed()
		synctest.Wait()
		if s := c.Status().Storage; s.Kind != rmds.StorageBroken || !strings.Contains(s.Reason, "I/O error") {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(log.text.String(), "the storage has failed"); n != 1 {
			t.Errorf("%d lines say so", n)
		}
		_ = c.Unsubscribe() // it cannot drain
	})
}
