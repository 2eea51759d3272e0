package inbox

import (
	"maps"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// A lane that nothing came in for is given up: its places are in the store, and its sender opens it again with the next message.
const (
	maxLanes     = 4096             // bounds what strangers can make this node remember
	manyLanes    = 1024             // beyond it lanes are given up sooner
	idleAfter    = 10 * time.Minute // without a frame
	crowdedAfter = 30 * time.Second // the same, with many lanes
	fullAfter    = time.Second      // the same, for one that finds no room
	houseEvery   = 10 * time.Second // between two rounds of housekeeping
	tellRounds   = 6                // in which what a redrive changed is told again
)

// keepHouse takes back what lanes no longer need.
func (b *Inbox) keepHouse() {
	ticker := time.NewTicker(houseEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-b.ctx.Done():
			return
		}
		now := b.now()
		for _, l := range b.all() {
			l.forsake(now)
		}
		b.tellAgain()
		b.mu.Lock()
		patience := idleAfter
		if len(b.lanes) > manyLanes {
			patience = crowdedAfter
		}
		b.evict(now, patience)
		b.mu.Unlock()
	}
}

// tellAgain repeats what redrives changed, where nothing else may be said for long.
func (b *Inbox) tellAgain() {
	b.mu.Lock()
	again := slices.Collect(maps.Keys(b.told))
	for _, at := range again {
		if b.told[at]--; b.told[at] == 0 {
			delete(b.told, at)
		}
	}
	b.mu.Unlock()
	for _, at := range again {
		b.remind(at)
	}
}

// evict gives up the lanes that have been idle for so long; b.mu is held.
func (b *Inbox) evict(now, patience time.Duration) {
	for k, l := range b.lanes {
		if s, idle := l.retire(now, patience); idle {
			delete(b.lanes, k)
			delete(b.sessions, s)
		}
	}
}

// room tells whether another lane may be opened; b.mu is held.
func (b *Inbox) room() bool {
	if now := b.now(); len(b.lanes) >= maxLanes && now-b.evictedAt >= fullAfter {
		b.evictedAt = now
		b.evict(now, fullAfter)
	}
	return len(b.lanes) < maxLanes
}

// retire ends the lane if it is idle: everything that came is committed, and nothing has come for so long. It returns its session.
func (l *receiver) retire(now, patience time.Duration) (s sessionKey, idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 || l.busy || l.commits > 0 || l.paced || len(l.partial) > 0 || l.ahead() || now-l.touched < patience {
		return s, false
	}
	l.retired = true
	close(l.gone)
	return sessionKey{l.node, l.session}, true
}

// remind tells a sender the counts of a place as they are stored; what is committed counts whatever session it is told in.
func (b *Inbox) remind(at place) {
	node, ok := b.opt.OwnerOf(at.sender)
	if !ok {
		return
	}
	for _, p := range b.log.Positions(at.sender) {
		if p.Channel == at.channel && p.Join == at.join {
			b.publish(node, &wire.Status{ReceiverStore: b.log.ID(), ReceiverRun: b.log.Run(), SenderStore: at.sender, State: wire.OK, Channels: []wire.StatusChannel{{
				Name: p.Channel, Join: p.Join, Committed: []wire.Position{{Run: p.Run, Seq: p.Seq}}, Totals: wire.Totals(p.Totals), State: wire.OK}}})
		}
	}
}
