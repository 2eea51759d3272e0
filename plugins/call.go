package plugins

import (
	"bytes"
	"time"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// entry is what a guest is being called for; it decides which imports are possible.
type entry uint8

const (
	entryOther entry = iota // start, health, stop: neither message nor effects
	entryInit               // rmds_init: the same, and opt(OptOffers)
	entryFilter
	entryHandle
	entryTick
)

// effectful tells whether the entry may have effects.
func (e entry) effectful() bool { return e >= entryFilter }

// Bookkeeping that counts against the limit of effects beside their bytes, so that a flood of tiny ones is bounded too.
const effectOverhead = 64

// call is what one call of a guest reads and what it leaves behind. It belongs to an instance and is used again, so that an average call
// allocates nothing until it has effects. Everything the guest hands over is copied into the arena and kept as spans of it.
type call struct {
	progress
	buffers
}

// progress is what starts anew with each call.
type progress struct {
	entry entry
	msg   *Message // nil without a message

	overhead int64
	pending  int // headers from here on wait for the next emit
	ttl      time.Duration
	delay    time.Duration

	body, channel       span
	bodySet, channelSet bool

	retryAfter time.Duration
	offers     Kind // what opt(OptOffers) said; 0 if it did not
	reason     string
	logged     int // bytes of log text
	encoded    bool
	stateErr   error // the store failed under a read
}

// buffers keep their memory from one call to the next.
type buffers struct {
	arena   []byte
	own     []byte // the instance's arena, while arena is the copy that was handed over
	emits   []emitted
	latest  string // the latest channel emitted to, kept because the next is mostly the same
	headers []pair // of all emits, in order
	changes []pair // set_header, in order
	writes  writes
	scratch []byte // an encoded header block
}

type span struct{ from, n int }

// pair is a header; deleted ones carry no value.
type pair struct {
	name, value span
	deleted     bool
}

type emitted struct {
	channel, body span
	first, end    int // its headers
	ttl, delay    time.Duration
}

// Buffers above this size are not kept from one call to the next.
const keepBuffer = 1 * mib

func (c *call) reset(e entry, m *Message) {
	c.progress = progress{entry: e, msg: m}
	c.buffers.reset()
}

func (b *buffers) reset() {
	if b.own != nil {
		b.arena, b.own = b.own, nil
	}
	if cap(b.arena) > keepBuffer {
		b.arena = nil
	}
	if cap(b.scratch) > keepBuffer {
		b.scratch = nil
	}
	b.arena, b.emits, b.headers, b.changes, b.scratch = b.arena[:0], b.emits[:0], b.headers[:0], b.changes[:0], b.scratch[:0]
	b.writes.reset()
}

// fits tells whether n more bytes of effects stay within the limit.
func (c *call) fits(n int64, limit int64) bool {
	return int64(len(c.arena))+c.overhead+effectOverhead+n <= limit
}

// keep copies b into the arena.
func (c *call) keep(b []byte) span {
	s := span{len(c.arena), len(b)}
	c.arena = append(c.arena, b...)
	return s
}

func (c *call) bytes(s span) []byte { return c.arena[s.from : s.from+s.n : s.from+s.n] }

// headerBlock is field 4, encoded when it is first asked for.
func (c *call) headerBlock() []byte {
	if !c.encoded {
		c.scratch = abi.AppendCount(c.scratch[:0], len(c.msg.Headers))
		for _, h := range c.msg.Headers {
			c.scratch = abi.AppendHeader(c.scratch, h.Name, h.Value)
		}
		c.encoded = true
	}
	return c.scratch
}

// effects hands over what the call wants done, in one copy that nothing else refers to. The spans point into it from then on. A stateful plugin's only
// emit lies in the turn that comes with it, which is nil otherwise.
func (c *call) effects(stateful bool) (e Effects, t *turn) {
	if len(c.arena) == 0 && len(c.writes.list) == 0 {
		return Effects{}, nil
	}
	c.own, c.arena = c.arena, bytes.Clone(c.arena)
	if len(c.emits) > 0 {
		if len(c.emits) == 1 && stateful {
			t = &turn{}
			e.Emits = t.emit[:]
		} else {
			e.Emits = make([]Emit, len(c.emits))
		}
		for i, m := range c.emits {
			e.Emits[i] = Emit{Channel: c.channelName(m.channel), Body: c.bytes(m.body), TTL: m.ttl, Delay: m.delay}
			for _, h := range c.headers[m.first:m.end] {
				e.Emits[i].Headers = append(e.Emits[i].Headers, Header{string(c.bytes(h.name)), string(c.bytes(h.value))})
			}
		}
	}
	e.State = c.writes.changes(c)
	return e, t
}

func (c *call) channelName(s span) string {
	if b := c.bytes(s); c.latest != string(b) {
		c.latest = string(b)
	}
	return c.latest
}

// modified fills in the message as a filter left it.
func (c *call) modified(o *Outcome) {
	o.Body, o.Headers, o.Channel = c.msg.Body, c.msg.Headers, c.msg.Channel
	if c.bodySet {
		o.Body = c.bytes(c.body)
	}
	if c.channelSet {
		o.Channel = string(c.bytes(c.channel))
	}
	if len(c.changes) > 0 {
		o.Headers = c.changedHeaders()
	}
	o.Changed = c.bodySet || c.channelSet || len(c.changes) > 0
}

// changedHeaders applies set_header in order: a set takes the place of the first header of that name, or goes to the end, and removes the others.
func (c *call) changedHeaders() []Header {
	headers := append(make([]Header, 0, len(c.msg.Headers)+len(c.changes)), c.msg.Headers...)
	for _, change := range c.changes {
		name := string(c.bytes(change.name))
		kept, placed := headers[:0], change.deleted
		for _, h := range headers {
			switch {
			case h.Name != name:
				kept = append(kept, h)
			case !placed:
				kept, placed = append(kept, Header{name, string(c.bytes(change.value))}), true
			}
		}
		if !placed {
			kept = append(kept, Header{name, string(c.bytes(change.value))})
		}
		headers = kept
	}
	return headers
}
