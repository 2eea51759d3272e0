package membership

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

var testLimits = Limits{Settle: 30 * time.Second, Offline: 30 * time.Second, Broadcast: 30 * time.Second, Forget: 24 * time.Hour}

func newTestView() *View {
	return NewView("self", testLimits, func(channel string) bool { return channel == "shared" }, func(node string) bool { return node == "friend" }, nil)
}

func announcement(node string, run byte, serial uint64, channels ...string) *wire.Announcement {
	a := &wire.Announcement{Node: node, Store: wire.ID{node[0], node[1]}, Run: wire.ID{run}, Serial: serial}
	for _, c := range channels {
		a.Channels = append(a.Channels, wire.AnnouncedChannel{Name: c, Join: 1, Role: wire.Reader})
	}
	return a
}

func TestChanges(t *testing.T) {
	goodbye := announcement("bob", 2, 9, "shared")
	goodbye.Goodbye = true
	left := announcement("bob", 2, 8, "shared")
	left.Left = []wire.OpenChannel{{Name: "x", Join: 1}}
	v := newTestView()
	v.Connected(0)
	for i, step := range []struct {
		a       *wire.Announcement
		partial bool
		want    Change
		joins   int
	}{
		{announcement("self", 1, 1), false, Nothing, 0},
		{announcement("bob", 1, 1, "shared"), false, Appeared, 1},
		{announcement("bob", 1, 2, "shared"), false, Nothing, 1},
		{announcement("bob", 1, 3, "shared", "more"), false, Altered, 2},
		{announcement("bob", 1, 4, "shared"), true, Nothing, 2}, // a keepalive of one channel says nothing of others
		{announcement("bob", 1, 5, "third"), true, Altered, 3},
		{announcement("bob", 1, 2, "shared"), false, Nothing, 3}, // overtaken
		{announcement("bob", 1, 6, "shared"), false, Altered, 1},
		{announcement("bob", 2, 1, "shared"), false, Restarted, 1},
		{left, false, Altered, 1},
		{goodbye, false, Gone, 1},
		{goodbye, false, Nothing, 1},
		{announcement("bob", 3, 1, "shared"), false, Appeared, 1},
	} {
		p, change := v.Hear(time.Duration(i)*time.Second, step.a, step.partial)
		if change != step.want {
			t.Errorf("step %d: change %v, want %v", i, change, step.want)
		}
		if p != nil && len(p.Joins()) != step.joins {
			t.Errorf("step %d: %d joins, want %d", i, len(p.Joins()), step.joins)
		}
	}
}

var bobsStore = announcement("bob", 1, 1).Store

// bobs is an announcement of bob's store under another id.
func bobs(node string, run byte, serial uint64) *wire.Announcement {
	a := announcement(node, run, serial, "shared")
	a.Store = bobsStore
	return a
}

func hears(t *testing.T, v *View, now Now, a *wire.Announcement, want Change) {
	t.Helper()
	p, change := v.Hear(now, a, false)
	if change != want || (p == nil) != (want == Nothing) {
		t.Errorf("%s after %v: change %v, peer %v; want change %v", a.Node, now, change, p, want)
	}
}

func owns(t *testing.T, v *View, want string) {
	t.Helper()
	if owner, _ := v.Owner(bobsStore); owner != want {
		t.Errorf("the store is %q's, want %q's", owner, want)
	}
	for _, p := range v.Peers() {
		if p.Node != want && p.Store == bobsStore {
			t.Errorf("%s is listed with the store of %s", p.Node, want)
		}
	}
}

func TestAStoreBelongsToOneNode(t *testing.T) {
	v := newTestView()
	v.Connected(0)
	hears(t, v, 0, announcement("bob", 1, 1, "shared"), Appeared)
	hears(t, v, 0, bobs("eve", 1, 1), Nothing)
	owns(t, v, "bob")
	v.Silent(time.Minute)
	goodbye := bobs("eve", 1, 2)
	goodbye.Goodbye = true
	hears(t, v, time.Minute, goodbye, Nothing)
	hears(t, v, time.Minute, bobs("eve", 1, 3), Appeared)
	owns(t, v, "eve")
	if v.Peer("bob") != nil {
		t.Error("bob is still there, without a store")
	}
	hears(t, v, time.Minute, bobs("mallory", 1, 1), Nothing)
	hears(t, v, time.Minute, announcement("bob", 2, 1, "shared"), Appeared) // he was only away
	owns(t, v, "bob")
	hears(t, v, time.Minute, bobs("eve", 1, 4), Nothing)
	owns(t, v, "bob")
}

func TestARenamedNodeIsKnownByItsNewName(t *testing.T) {
	v := newTestView()
	v.Connected(0)
	hears(t, v, 0, announcement("bob", 1, 5, "shared"), Appeared)
	goodbye := announcement("bob", 1, 7, "shared")
	goodbye.Goodbye = true
	hears(t, v, 0, goodbye, Gone)
	hears(t, v, time.Second, bobs("rob", 2, 1), Appeared)
	hears(t, v, time.Second, announcement("bob", 1, 6, "shared"), Nothing) // said before the goodbye
	owns(t, v, "rob")
	goodbye = bobs("rob", 2, 2)
	goodbye.Goodbye = true
	hears(t, v, time.Minute, goodbye, Gone)
	hears(t, v, time.Minute, bobs("bob", 3, 1), Appeared) // and back
	owns(t, v, "bob")
}

// TestANameOnRecordHasTimeToBeHeard: after a restart, the node that a store was known by comes before any other that announces it.
func TestANameOnRecordHasTimeToBeHeard(t *testing.T) {
	v := NewView("self", testLimits, func(string) bool { return true }, func(string) bool { return false }, map[wire.ID]string{bobsStore: "bob"})
	v.Connected(0)
	hears(t, v, 29*time.Second, bobs("rob", 1, 1), Nothing)
	hears(t, v, 29*time.Second, announcement("carol", 1, 1, "shared"), Appeared)
	hears(t, v, 30*time.Second, bobs("rob", 1, 2), Appeared)
	owns(t, v, "rob")
}

func TestSilence(t *testing.T) {
	v := newTestView()
	v.Connected(0)
	v.Hear(0, announcement("near", 1, 1, "shared"), false)
	v.Hear(0, announcement("far", 1, 1, "other"), false)
	if gone := v.Silent(29 * time.Second); len(gone) != 0 {
		t.Errorf("after 29 s: %d gone", len(gone))
	}
	if gone := v.Silent(30 * time.Second); len(gone) != 1 || gone[0].Node != "near" {
		t.Errorf("after 30 s: %v, want the one that shares a channel", gone)
	}
	if gone := v.Silent(90 * time.Second); len(gone) != 1 || gone[0].Node != "far" {
		t.Errorf("after 90 s: %v, want the one heard only by broadcasts", gone)
	}
	v.Silent(25 * time.Hour)
	if len(v.Peers()) != 0 {
		t.Error("a node unheard for a day is still listed")
	}
}

func TestNobodyIsJudgedWhileDisconnected(t *testing.T) {
	v := newTestView()
	v.Connected(0)
	v.Hear(0, announcement("near", 1, 1, "shared"), false)
	v.Disconnected()
	if gone := v.Silent(time.Hour); len(gone) != 0 {
		t.Error("a node was judged without a connection to hear it over")
	}
	v.Connected(time.Hour)
	if gone := v.Silent(time.Hour + 29*time.Second); len(gone) != 0 {
		t.Error("a node was judged before it could be heard again")
	}
	if gone := v.Silent(time.Hour + 30*time.Second); len(gone) != 1 {
		t.Error("a node that stays silent after a reconnect is not offline")
	}
}

func TestSettledNeedsAnUnbrokenConnection(t *testing.T) {
	v := newTestView()
	if v.Settled(time.Hour) {
		t.Error("settled without a connection")
	}
	v.Connected(0)
	if v.Settled(29*time.Second) || !v.Settled(30*time.Second) {
		t.Error("settled at another time than after 30 s")
	}
	v.Disconnected()
	v.Connected(31 * time.Second)
	if v.Settled(40*time.Second) || !v.Settled(61*time.Second) {
		t.Error("a break does not start the time anew")
	}
}

// TestOrderOfAnnouncementsDoesNotMatter: whatever of a run arrives in whatever order, the newest full one stands.
func TestOrderOfAnnouncementsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newTestView()
		v.Connected(0)
		var newest *wire.Announcement
		for serial := range uint64(rapid.IntRange(1, 8).Draw(t, "announcements")) {
			newest = announcement("bob", 1, serial+1, rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "shared"}), 0, 3, rapid.ID).Draw(t, "channels")...)
			if rapid.Bool().Draw(t, "overtaken") && serial > 0 {
				continue
			}
			v.Hear(0, newest, false)
		}
		v.Hear(0, newest, false)
		v.Hear(0, announcement("bob", 1, newest.Serial-min(newest.Serial, 1), "stale"), false)
		p := v.Peer("bob")
		if newest.Serial > 1 && len(p.Joins()) != len(newest.Channels) {
			t.Fatalf("%d joins, the newest announcement has %d", len(p.Joins()), len(newest.Channels))
		}
	})
}

func TestAPartOfANodesChannelsIsNotTakenForAll(t *testing.T) {
	v := newTestView()
	v.Connected(0)
	p, _ := v.Hear(0, announcement("bob", 1, 1, "shared"), true)
	if p.Whole {
		t.Error("after a keepalive of one channel all channels are said to be known")
	}
	if p, change := v.Hear(0, announcement("bob", 1, 2, "shared"), false); !p.Whole || change != Altered {
		t.Errorf("after an announcement to everybody: known %v, change %v", p.Whole, change)
	}
	if p, _ := v.Hear(0, announcement("bob", 1, 3, "shared"), true); !p.Whole {
		t.Error("a keepalive of the same run makes channels unknown")
	}
	if p, _ := v.Hear(0, announcement("bob", 2, 1, "shared"), true); p.Whole {
		t.Error("a keepalive of a new run makes all its channels known")
	}
}
