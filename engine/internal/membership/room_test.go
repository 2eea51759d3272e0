package membership

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// madeUp is the announcement of a node that nobody has heard of, with channels that nobody else has.
func madeUp(i, channels int) *wire.Announcement {
	a := &wire.Announcement{Node: fmt.Sprint("stranger-", i), Run: wire.ID{1}, Serial: 1, Version: string(make([]byte, wire.MaxText))}
	binary.BigEndian.PutUint32(a.Store[:], uint32(i)+1)
	for c := range channels {
		a.Channels = append(a.Channels, wire.AnnouncedChannel{Name: fmt.Sprintf("made-up-%d-%d", i, c), Join: 1, Role: wire.Reader})
		a.Left = append(a.Left, wire.OpenChannel{Name: a.Channels[c].Name, Join: 1})
	}
	return a
}

func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 20)
}

// sum checks what the view keeps count of.
func sum(t *testing.T, v *View) (joins int) {
	t.Helper()
	for _, p := range v.Peers() {
		joins += len(p.Joins())
	}
	if joins != v.joins {
		t.Errorf("%d joins are counted, there are %d", v.joins, joins)
	}
	return joins
}

// TestStrangersHaveBoundedRoom: a hundred thousand nodes, or few with very many channels, fill what there is of it and no more; who is known goes on to be heard,
// who is on record comes in, what is refused is counted, and all of it is free again soon after.
func TestStrangersHaveBoundedRoom(t *testing.T) {
	for _, flood := range []struct{ nodes, channels int }{{100_000, 1}, {1000, wire.MaxChannels}} {
		t.Run(fmt.Sprint(flood.nodes, " nodes"), func(t *testing.T) {
			v, before := newTestView(), inUse()
			v.Connected(0)
			v.Hear(0, announcement("bob", 1, 1, "shared"), false)
			for i := range flood.nodes {
				v.Hear(time.Second, madeUp(i, flood.channels), false)
				if i%100 == 0 {
					v.Hear(time.Second, madeUp(i, 1), true)
				}
			}
			joins := sum(t, v)
			if len(v.Peers()) > maxNodes || joins > maxJoins || len(v.Peers()) < maxNodes && joins < maxJoins-wire.MaxChannels {
				t.Errorf("%d nodes with %d joins are remembered", len(v.Peers()), joins)
			}
			if v.Refused() == 0 {
				t.Error("nothing was refused")
			}
			if more := inUse() - before; more > 160 {
				t.Errorf("they take %d MiB", more)
			}
			if p, change := v.Hear(2*time.Second, announcement("bob", 1, 2, "shared", "more"), false); p == nil || change != Altered || len(p.Joins()) != 2 && len(p.Joins()) != 1 {
				t.Errorf("who was there before is not heard: %v", change)
			}
			if p, change := v.Hear(2*time.Second, announcement("friend", 1, 1, "shared"), false); change != Appeared || len(p.Joins()) != 1 {
				t.Errorf("who is on record does not come in: %v", change)
			}
			v.Hear(10*time.Second, announcement("bob", 1, 3, "shared"), false)
			v.Silent(95 * time.Second) // all but those on the shared channel
			if n := len(v.Peers()); n > 2 {
				t.Errorf("%d nodes are remembered when the flood is over", n)
			}
			if _, change := v.Hear(95*time.Second, announcement("carol", 1, 1, "shared"), false); change != Appeared {
				t.Errorf("there is no room again: %v", change)
			}
			sum(t, v)
		})
	}
}

// TestKeepalivesFillNoMoreThanAnnouncements: one channel at a time.
func TestKeepalivesFillNoMoreThanAnnouncements(t *testing.T) {
	v := newTestView()
	v.Connected(0)
	for i := range maxJoins/wire.MaxChannels - 1 {
		v.Hear(0, madeUp(i, wire.MaxChannels), false)
	}
	v.Hear(0, madeUp(1000, wire.MaxChannels-10), false)
	for i := range 5 {
		a := madeUp(2000+i, 8)
		channels := a.Channels
		for c := range channels {
			a.Channels = channels[c : c+1]
			a.Serial++
			v.Hear(0, a, true)
		}
	}
	if joins := sum(t, v); joins != maxJoins {
		t.Errorf("%d joins are remembered, want %d", joins, maxJoins)
	}
	if p := v.Peer("stranger-2001"); p == nil || !p.Online || len(p.Joins()) != 2 {
		t.Error("a node only some of whose channels find room is not there with those")
	}
}
