package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// tapBuffer is how many messages a tap may lag behind before it loses some.
const tapBuffer = 1024

// taps are the connection's watchers, by channel.
type taps struct {
	any  atomic.Int32 // how many there are: the hot path asks only this
	mu   sync.Mutex
	list map[string][]*tap
	done sync.WaitGroup
	over bool
}

type tap struct {
	buffer chan *Message
	lost   atomic.Uint64
	once   sync.Once
	end    chan struct{}
}

func (t *taps) start() { t.list = map[string][]*tap{} }

// Tap watches a channel: f is called with every message that this node sends on it or ends the handling of, from a goroutine of the
// tap's own. A tap never acknowledges and never holds anything up: when f is slower than the channel, messages are left out, and lost
// tells f's next call how many. The function returned ends the tap and waits for f.
func (c *Connection) Tap(channel string, f func(m *Message, lost uint64)) (stop func()) {
	t := &tap{buffer: make(chan *Message, tapBuffer), end: make(chan struct{})}
	c.taps.mu.Lock()
	defer c.taps.mu.Unlock()
	if c.taps.over {
		return func() {}
	}
	c.taps.list[channel] = append(c.taps.list[channel], t)
	c.taps.any.Add(1)
	stopped := make(chan struct{})
	c.taps.done.Go(func() {
		defer close(stopped)
		for {
			select {
			case m := <-t.buffer:
				f(m, t.lost.Swap(0))
			case <-t.end:
				return
			}
		}
	})
	return func() {
		c.taps.remove(channel, t)
		t.stop()
		<-stopped
	}
}

func (t *tap) stop() { t.once.Do(func() { close(t.end) }) }

func (t *taps) remove(channel string, gone *tap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list[channel]
	for i := range list {
		if list[i] == gone {
			t.list[channel] = append(append([]*tap(nil), list[:i]...), list[i+1:]...)
			t.any.Add(-1)
			return
		}
	}
}

func (t *taps) stop() {
	t.mu.Lock()
	t.over = true
	for _, list := range t.list {
		for _, one := range list {
			one.stop()
		}
	}
	t.mu.Unlock()
	t.done.Wait()
}

func (t *taps) watched(channel string) bool {
	if t.any.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.list[channel]) > 0
}

func (t *taps) give(m *Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.list[m.Channel] {
		select {
		case one.buffer <- m:
		default:
			one.lost.Add(1)
		}
	}
}

func (c *Connection) tapSent(channel string, messages []wire.Message) {
	now := time.Now()
	for i := range messages {
		w := &messages[i]
		m := &Message{Channel: channel, Sender: c.NodeID(), Data: append([]byte(nil), w.Data...), CreatedAt: now, Outgoing: true, over: true}
		if w.TTL > 0 {
			m.ExpiresAt = now.Add(time.Duration(w.TTL) * time.Millisecond)
		}
		for _, h := range w.Headers {
			m.Headers = append(m.Headers, Header(h))
		}
		c.taps.give(m)
	}
}

func (ch *Channel) tapHandled(m *Message, k inbox.Kind) {
	if k != inbox.Ack || !ch.c.taps.watched(ch.name) {
		return
	}
	ch.c.taps.give(&Message{ID: m.ID, Channel: m.Channel, Sender: m.Sender, Data: m.Data, Headers: m.Headers, CreatedAt: m.CreatedAt, ExpiresAt: m.ExpiresAt,
		Seq: m.Seq, Attempt: m.Attempt, over: true})
}
