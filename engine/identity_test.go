package engine_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// duo is a writer, alice, and a reader, bob, whose disks are put back, deleted or copied. It runs in a bubble.
type duo struct {
	t          *testing.T
	network    *enginetest.Network
	alice, bob *rmds.Connection
	out        *rmds.Channel
	got        *collector // of the present bob
	sent       int
}

func newDuo(t *testing.T) *duo {
	p := &duo{t: t, network: enginetest.NewNetwork(t)}
	p.startAlice()
	p.startBob()
	p.settle()
	return p
}

func (p *duo) startAlice() {
	p.alice = p.network.Connect(p.t, "alice")
	p.out = p.alice.Join("chat", rmds.WriteOnly)
}

func (p *duo) startBob() {
	p.bob, p.got = p.network.Connect(p.t, "bob"), &collector{}
	if err := p.bob.Join("chat", rmds.ReadOnly).OnMessage(p.got.handle); err != nil {
		p.t.Fatal(err)
	}
}

// send sends n more messages.
func (p *duo) send(n int) {
	p.t.Helper()
	sendAll(p.t, p.out, numbered(p.sent+1, p.sent+n))
	p.sent += n
}

// settle lets a minute pass, in which everything that can happen has happened.
func (p *duo) settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

// wants checks what the present bob handled: the messages from one to another.
func (p *duo) wants(from, to int) {
	p.t.Helper()
	if got, want := p.got.list(), numbered(from, to); !slices.Equal(got, want) {
		p.t.Errorf("handled %q, want messages %d to %d", got, from, to)
	}
}

// current is alice's account of bob as he is now; every account must balance, and nobody's place count twice.
func (p *duo) current() rmds.Account {
	p.t.Helper()
	var now []rmds.Account
	for _, a := range p.alice.Accounts() {
		if !a.Balanced() {
			p.t.Errorf("no balance: %+v", a)
		}
		if !a.Ended {
			now = append(now, a)
		}
	}
	if len(now) != 1 {
		p.t.Fatalf("%d accounts go on, want one: %+v", len(now), now)
	}
	return now[0]
}

func (p *duo) account(accepted, handled, pending uint64) {
	p.t.Helper()
	if a := p.current(); a.Accepted != accepted || a.Handled != handled || a.Pending != pending {
		p.t.Errorf("account %+v: want %d accepted, %d handled and %d pending", a, accepted, handled, pending)
	}
}

func TestReaderRestoredFromABackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		backup := p.network.Backup("bob")
		p.send(5)
		p.settle()
		p.network.Restore("bob", backup)
		p.send(5)
		p.startBob()
		p.settle()
		p.wants(6, 15) // and not the first five
		p.account(15, 15, 0)
	})
}

func TestReaderRestoredFromABackupOfBeforeTheFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		backup := p.network.Backup("bob")
		p.send(5)
		p.settle()
		p.network.Restore("bob", backup)
		p.startBob()
		p.settle()
		p.wants(1, 5)
		p.account(5, 5, 0)
	})
}

func TestReaderRestoredFromACopyOlderThanTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(2)
		p.settle()
		backup := p.network.Backup("bob")
		p.send(5)
		p.settle()
		if err := p.alice.Mgmt.PurgeSent(rmds.Self); err != nil {
			t.Fatal(err)
		}
		p.network.Restore("bob", backup)
		p.send(3)
		p.startBob()
		p.settle()
		p.wants(8, 10)
		if a := p.current(); a.Accepted != 10 || a.Handled != 5 || a.Pruned != 5 || a.Pending != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

func TestReaderWhoseDatabaseWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		p.network.Restore("bob", nil)
		p.send(5)
		p.startBob()
		p.settle()
		p.wants(6, 10) // what the old database had handled stays handled
		p.account(5, 5, 0)
		p.send(1)
		p.settle()
		p.wants(6, 11)
		p.account(6, 6, 0)
	})
}

// TestReaderStartsForAMomentOnAnEmptyDatabase: the brief store takes the place, and gives it back.
func TestReaderStartsForAMomentOnAnEmptyDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		p.network.Kill("bob")
		real := p.network.Backup("bob")
		p.send(5)
		p.network.Restore("bob", nil)
		p.startBob()
		p.settle()
		p.wants(6, 10)
		brief := p.network.Backup("bob")
		p.network.Restore("bob", real)
		p.send(5)
		p.startBob()
		p.settle()
		p.wants(6, 15) // the real one has never had them
		p.account(15, 15, 0)
		p.network.Restore("bob", brief)
		p.send(2)
		p.startBob()
		p.settle()
		p.wants(11, 17) // and the other way around
		p.account(12, 12, 0)
		for _, a := range p.alice.Accounts() {
			if a.Removed > 0 || a.Ended != a.Replaced {
				t.Errorf("account %+v", a)
			}
		}
		if n := len(p.alice.Accounts()); n != 2 {
			t.Errorf("%d accounts, want two", n)
		}
	})
}

func TestKickEndsWhatWasReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		real := p.network.Backup("bob")
		p.network.Restore("bob", nil)
		p.startBob()
		p.settle()
		if err := p.alice.Mgmt.Kick("bob"); err != nil {
			t.Fatal(err)
		}
		p.settle()
		p.network.Restore("bob", real)
		p.startBob()
		p.send(3)
		p.settle()
		p.wants(1, 0)
		for _, a := range p.alice.Accounts() {
			if !a.Ended || a.Replaced || a.Removed > 0 || !a.Balanced() {
				t.Errorf("account %+v", a)
			}
		}
		if len(p.bob.Joined()) != 0 {
			t.Errorf("the node that was kicked is still in %+v", p.bob.Joined())
		}
	})
}

func TestSenderRestoredFromABackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		backup := p.network.Backup("alice")
		p.send(5)
		p.settle()
		p.network.Restore("alice", backup)
		p.startAlice()
		p.send(5)
		p.settle()
		p.wants(1, 15) // the restored log gives sequences again that were used: other messages
		p.account(15, 15, 0)
		p.network.Kill("alice")
		p.startAlice()
		p.settle()
		p.account(15, 15, 0) // what the log does not hold is on record
		p.network.Kill("bob")
		p.send(4)
		p.settle()
		p.account(19, 15, 4)
		p.startBob()
		p.settle()
		p.account(19, 19, 0)
	})
}

func TestSenderRestoredFromABackupOfBeforeTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &duo{t: t, network: enginetest.NewNetwork(t)}
		p.startAlice()
		p.settle()
		p.send(5)
		p.settle()
		backup := p.network.Backup("alice")
		p.startBob()
		p.settle()
		p.send(5)
		p.settle()
		p.wants(1, 10)
		p.network.Restore("alice", backup)
		p.startAlice()
		p.send(5)
		p.settle()
		p.wants(1, 15)
		if a := p.current(); a.Handled != 15 || a.Pending != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

func TestSenderWhoseDatabaseWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		real := p.network.Backup("alice")
		p.network.Restore("alice", nil)
		p.startAlice()
		p.send(5) // no reader is known now: it is kept for the first one
		p.settle()
		p.wants(1, 10)
		p.account(5, 5, 0)
		p.network.Restore("alice", real)
		p.startAlice()
		p.send(5)
		p.settle()
		p.wants(1, 15)
		p.account(10, 10, 0)
	})
}

// TestBothRestored: the reader's copy is older than the sender's, so it gets what lies between, and then what is new.
func TestBothRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(2)
		p.settle()
		bob := p.network.Backup("bob")
		p.send(2)
		p.settle()
		alice := p.network.Backup("alice")
		p.send(4)
		p.settle()
		p.network.Restore("bob", bob)
		p.network.Restore("alice", alice)
		p.startAlice()
		p.send(2)
		p.startBob()
		p.settle()
		if got, want := p.got.list(), []string{"message 3", "message 4", "message 9", "message 10"}; !slices.Equal(got, want) {
			t.Errorf("handled %q, want %q", got, want)
		}
		p.account(6, 6, 0)
	})
}
