package inbox

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// early keeps the opens of nodes that have not announced themselves, or not the run they open with: a node may open a lane before
// its announcement has come. Only the newest of each node and scope is kept, for a while, and little altogether; an open that finds no
// room is made again by its sender. The inbox's mu guards it.
type early struct {
	opens map[earlyKey]earlyOpen
	names int // channels of all of them
}

type earlyKey struct{ node, scope string }

type earlyOpen struct {
	open *wire.Open
	at   time.Duration
}

// What early keeps at most, and for how long.
const (
	maxEarly      = 1024
	maxEarlyNames = 8192
	earlyFor      = 5 * time.Second
)

// keep returns false if the node has tried before, or there is no room.
func (e *early) keep(now time.Duration, node string, o *wire.Open) (first bool) {
	k := earlyKey{node, o.Scope}
	_, tried := e.opens[k]
	e.drop(k)
	if len(e.opens) >= maxEarly || e.names+len(o.Channels) > maxEarlyNames {
		return false
	}
	if e.opens == nil {
		e.opens = map[earlyKey]earlyOpen{}
	}
	e.opens[k] = earlyOpen{o, now}
	e.names += len(o.Channels)
	return !tried
}

func (e *early) drop(k earlyKey) {
	e.names -= len(e.open(k).Channels)
	delete(e.opens, k)
}

func (e *early) open(k earlyKey) *wire.Open {
	if o := e.opens[k].open; o != nil {
		return o
	}
	return &wire.Open{}
}

// take returns and forgets what a node has opened.
func (e *early) take(node string) (list []*wire.Open) {
	for k, o := range e.opens {
		if k.node == node {
			list = append(list, o.open)
			e.drop(k)
		}
	}
	return list
}

// expire forgets what has waited for too long, and names who opened it.
func (e *early) expire(now time.Duration) (nodes []string) {
	for k, o := range e.opens {
		if now-o.at >= earlyFor {
			nodes = append(nodes, k.node)
			e.drop(k)
		}
	}
	return nodes
}

// wait keeps the open of a process that has not announced itself.
func (b *Inbox) wait(from string, o *wire.Open) {
	b.mu.Lock()
	first := b.early.keep(b.now(), from, o)
	b.mu.Unlock()
	b.opt.Ask()
	if !first {
		b.stranger(from)
	}
}

func (b *Inbox) stranger(node string) {
	b.reject(wire.Stranger, node, "", "open: from a process that has not announced itself")
}

// Announced takes notice that a node has announced itself: lanes that it opened before begin, and channels that were refused because of
// what it announced before are judged anew.
func (b *Inbox) Announced(node string) {
	b.mu.Lock()
	opens := b.early.take(node)
	b.mu.Unlock()
	for _, o := range opens {
		b.begin(node, o)
	}
	for _, l := range b.all() {
		if l.sender() == node {
			l.pardon()
		}
	}
}

// Reconsider judges channels anew that were refused because their data could not be heard.
func (b *Inbox) Reconsider() {
	for _, l := range b.all() {
		l.pardon()
	}
}

// Deafened takes notice that a channel's data cannot be heard (see Options.Deaf): its senders are told.
func (b *Inbox) Deafened(channel string) {
	for _, l := range b.all() {
		l.deafened(channel)
	}
}

// Look gives up waiting for announcements that do not come. It is to be called about every second.
func (b *Inbox) Look() {
	b.mu.Lock()
	nodes := b.early.expire(b.now())
	b.mu.Unlock()
	for _, node := range nodes {
		b.stranger(node)
	}
}
