package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Join subscribes to a channel, durably; a join that the store remembers with the same role goes on. Giving up reading ends the
// join that read, and a new one begins.
func (n *Node) Join(j Join) (Join, error) {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return Join{}, ErrClosed
	}
	n.mu.Unlock()
	var changes []store.Join
	for _, old := range n.store.Joins() {
		if old.Channel != j.Channel {
			continue
		}
		if !old.Ended && (wire.Role(old.Role)&wire.Reader == 0 || j.Role&wire.Reader != 0) {
			j.Number, j.Replay = old.Number, old.Replay && j.Role&wire.Reader != 0
			if wire.Role(old.Role) != j.Role {
				changes = append(changes, store.Join{Channel: j.Channel, Number: old.Number, Role: uint8(j.Role), Replay: j.Replay})
			}
			if err := n.record(changes); err != nil {
				return Join{}, err
			}
			n.enter(j)
			return j, nil
		}
		j.Number = max(j.Number, old.Number)
		if !old.Ended {
			old.Ended = true
			changes = append(changes, old)
		}
	}
	j.Number++
	changes = append(changes, store.Join{Channel: j.Channel, Number: j.Number, Role: uint8(j.Role)})
	if err := n.record(changes); err != nil {
		return Join{}, err
	}
	n.enter(j)
	return j, nil
}

func (n *Node) record(changes []store.Join) error {
	if len(changes) == 0 {
		return nil
	}
	if err := n.store.Do(&store.Tx{Joins: changes, Must: true}); err != nil {
		return fmt.Errorf("put the join to channel %s on record: %w", changes[0].Channel, err)
	}
	return nil
}

func (n *Node) enter(j Join) {
	if j.Own && j.Role == wire.Both {
		j.self = n.ownJoin(&j)
	}
	n.mu.Lock()
	n.joins[j.Channel] = &j
	n.mu.Unlock()
	if j.Start == store.StartHead && !j.Own { // a reader that is this node itself starts where it joined, and is put on record after that
		n.ahead.Store(j.Channel, true)
	}
	if planted.AckUnconsumed && j.Role&wire.Reader != 0 {
		_ = n.Attach(j.Channel, func(context.Context, *inbox.Delivery) inbox.Verdict { return inbox.Verdict{Kind: inbox.Ack} })
	}
	n.poke()
}

// ownJoin is the number under which a node reads what it sends itself. It goes on with the join that it has; if that ended while the node read only what
// others send, it is another one, for an ended join stays ended.
func (n *Node) ownJoin(j *Join) uint64 {
	number := j.Number
	for _, r := range n.ownRows(j.Channel) {
		if !r.Ended && r.Join >= j.Number {
			return r.Join
		}
		number = max(number, r.Join+1)
	}
	return number
}

// ownRows are the joins of this node to itself on a channel, ended ones too.
func (n *Node) ownRows(channel string) []store.Reader {
	return slices.DeleteFunc(n.out.Readers(), func(r store.Reader) bool { return r.Store != n.store.ID() || r.Channel != channel })
}

// Attach gives a join its consumer.
func (n *Node) Attach(channel string, c inbox.Consumer) error {
	n.mu.Lock()
	j := n.joins[channel]
	if j == nil {
		n.mu.Unlock()
		return ErrNotJoined
	}
	as := *j
	n.mu.Unlock()
	if err := n.in.Attach(channel, as.Number, as.self, c, as.Journal > 0); err != nil {
		return err
	}
	n.mu.Lock()
	now := as
	if j := n.joins[channel]; j != nil {
		j.ready = true
		now = *j
	}
	n.mu.Unlock()
	if now.Number != as.Number { // another join came between
		n.in.Rejoin(channel, now.Number, now.self)
	}
	n.poke()
	return nil
}

// Leave ends a join durably. What other nodes hold for it is removed there.
func (n *Node) Leave(channel string) error {
	n.mu.Lock()
	delete(n.joins, channel)
	n.mu.Unlock()
	n.ahead.Delete(channel)
	n.in.Detach(channel)
	var changes []store.Join
	for _, old := range n.store.Joins() {
		if old.Channel == channel && !old.Ended {
			old.Ended = true
			changes = append(changes, old)
		}
	}
	for _, r := range n.ownRows(channel) {
		n.leave(r.Store, channel, r.Join)
	}
	if len(changes) == 0 {
		return ErrNotJoined
	}
	if err := n.record(changes); err != nil {
		return err
	}
	n.poke()
	return nil
}

// Joins lists the joins that are in use, by channel.
func (n *Node) Joins() []Join {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]Join, 0, len(n.joins))
	for _, j := range n.joins {
		list = append(list, *j)
	}
	slices.SortFunc(list, func(a, b Join) int { return cmp.Compare(a.Channel, b.Channel) })
	return list
}

// drainStep is how often a drain looks, and drainPatience how long it waits without any progress.
const (
	drainStep     = 20 * time.Millisecond
	drainPatience = time.Second
)

// Close ends the node in order: handlers finish, what readers can take now is given to them until ctx ends or they stop making
// progress, the network is told, and the store is closed. Joins and positions stay.
func (n *Node) Close(ctx context.Context) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.mu.Unlock()
	failed := n.in.Close(ctx)
	n.drain(ctx)
	n.goodbye()
	n.cancel()
	n.done.Wait()
	n.out.Close()
	_ = n.conn.Flush() // the goodbye is a courtesy: without it the others notice the silence
	n.conn.Close()
	if err := n.store.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return failed
}

func (n *Node) drain(ctx context.Context) {
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	last, since := n.waiting(), n.now()
	for last > 0 && n.Connected() && n.now()-since < drainPatience {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if w := n.waiting(); w != last {
			last, since = w, n.now()
		}
	}
}

// waiting counts what online readers have not committed.
func (n *Node) waiting() (count uint64) {
	for _, r := range n.out.Readers() {
		n.mu.Lock()
		p := n.view.Peer(r.Node)
		online := p != nil && p.Online && p.Store == r.Store
		n.mu.Unlock()
		if head, ok := n.store.Head(r.Channel); ok && online && !r.Ended {
			count += head.Total - min(r.Done, head.Total)
		}
	}
	return count
}

// Abort ends the node as a crash would, but waits for its goroutines.
func (n *Node) Abort() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	n.store.Abort()
	_ = n.in.Abort(context.Background()) // it fails only when its context ends
	n.out.Abort()
	n.done.Wait()
	n.conn.Close()
}
