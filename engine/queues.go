package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Queue is what waits on a channel for one reader: messages this node sent that the reader has not reported to be at their end.
type Queue struct {
	Channel string
	Reader  string // a node id; empty: for whoever joins first
	Pending uint64
	Oldest  uint64    // the sequence of the first that waits; 0: it cannot be read
	Since   time.Time // when that was sent, by this node's wall clock then; zero: unknown
	Online  bool
}

// Queues lists the queues that are not empty, by channel and reader. It reads one batch for each.
func (c *Connection) Queues() []Queue {
	online := map[string]bool{}
	for _, m := range c.node.Members() {
		online[m.Node] = m.Online
	}
	var list []Queue
	read := map[string]bool{}
	for _, r := range c.node.Outbox().Readers() {
		head, _ := c.node.Store().Head(r.Channel)
		read[r.Channel] = read[r.Channel] || !r.Ended
		if n := r.Pending(head); n > 0 {
			q := Queue{Channel: r.Channel, Reader: r.Node, Pending: n, Online: online[r.Node]}
			c.oldest(&q, r.Position)
			list = append(list, q)
		}
	}
	for name, head := range c.node.Store().Heads() {
		if head.OpenFrom == 0 || read[name] {
			continue
		}
		if before, err := c.node.Store().Upto(name, head.OpenFrom-1); err == nil && before < head.Total {
			q := Queue{Channel: name, Pending: head.Total - before}
			c.oldest(&q, head.OpenFrom-1)
			list = append(list, q)
		}
	}
	slices.SortFunc(list, func(a, b Queue) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Reader, b.Reader))
	})
	return list
}

func (c *Connection) oldest(q *Queue, after uint64) {
	_ = c.walk(q.Channel, after, func(m *Message) bool { // what cannot be read is told as such
		q.Oldest, q.Since = m.Seq, m.CreatedAt
		return false
	})
}

// ErrNoQueue means the node is no reader of what this one sends on the channel.
var ErrNoQueue = errors.New("no such queue")

// Pending lists up to limit messages that wait on a channel for a reader, with sequences above after, in order. Reader is a node id; empty: for whoever
// joins first. Those that will be skipped, because they expired or were purged, are left out.
func (c *Connection) Pending(channel, reader string, after uint64, limit int) ([]*Message, error) {
	from, skipped, err := c.queueOf(channel, reader)
	if err != nil {
		return nil, err
	}
	var list []*Message
	err = c.walk(channel, max(after, from), func(m *Message) bool {
		if len(list) < limit && !skipped(m.Seq) {
			list = append(list, m)
		}
		return len(list) < limit
	})
	return list, err
}

// queueOf finds where a reader is, and what will be skipped for it.
func (c *Connection) queueOf(channel, reader string) (from uint64, skipped func(seq uint64) bool, err error) {
	log := c.node.Store()
	head, ok := log.Head(channel)
	none := fmt.Errorf("channel %s, reader %q: %w", channel, reader, ErrNoQueue)
	if !ok {
		return 0, nil, none
	}
	of := func(id store.ID, join, from uint64) (uint64, func(uint64) bool, error) {
		skips, err := log.Skips(channel, id, join, from+1, head.Last)
		if err != nil {
			return 0, nil, publicError(err)
		}
		return from, func(seq uint64) bool {
			return slices.ContainsFunc(skips, func(s store.SkipRange) bool { return s.From <= seq && seq <= s.To })
		}, nil
	}
	if reader == "" {
		if head.OpenFrom == 0 {
			return 0, nil, none
		}
		return of(store.ID{}, 0, head.OpenFrom-1)
	}
	for _, r := range c.node.Outbox().Readers() {
		if r.Channel == channel && r.Node == reader && !r.Ended {
			return of(r.Store, r.Join, r.Position)
		}
	}
	return 0, nil, none
}

// walkBytes is how much of the log is read at a time.
const walkBytes = 1 << 20

// walk calls f with the messages of a channel that this node sent, above a sequence, in order, until f returns false. It reads the log.
func (c *Connection) walk(channel string, after uint64, f func(*Message) bool) error {
	log := c.node.Store()
	for {
		batches, err := log.Read(channel, after, walkBytes)
		if err != nil || len(batches) == 0 {
			return publicError(err)
		}
		for i := range batches {
			if more, err := walkBatch(&batches[i], log.ID(), c.NodeID(), after, f); err != nil || !more {
				return err
			}
		}
		after = batches[len(batches)-1].Last
	}
}

func walkBatch(b *store.Batch, sender store.ID, node string, after uint64, f func(*Message) bool) (more bool, err error) {
	batch, err := wire.ParseBatch(b.Blob)
	if err != nil {
		return false, fmt.Errorf("batch %d of channel %s: %w", b.First, b.Channel, err)
	}
	dec, err := batch.Decoder()
	if err != nil {
		return false, fmt.Errorf("batch %d of channel %s: %w", b.First, b.Channel, err)
	}
	for seq := b.First; seq <= b.Last; seq++ {
		d := inbox.Delivery{Sender: sender, Node: node, Channel: b.Channel, Run: b.Run, Seq: seq}
		if ok, err := dec.Next(&d.Message); err != nil || !ok {
			return false, fmt.Errorf("message %d of channel %s cannot be read: %w", seq, b.Channel, err)
		}
		if seq <= after {
			continue
		}
		m := newMessage(&d)
		m.over = true // it can be looked at, not acked
		if !f(m) {
			return false, nil
		}
	}
	return true, nil
}
