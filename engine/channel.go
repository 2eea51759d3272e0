package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine/internal/node"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Mode is what this node does on a channel.
type Mode uint8

const (
	ReadOnly  Mode = Mode(wire.Reader)
	WriteOnly Mode = Mode(wire.Writer)
	RW        Mode = Mode(wire.Both)
)

func (m Mode) String() string {
	switch m {
	case ReadOnly:
		return "reader"
	case WriteOnly:
		return "writer"
	case RW:
		return "rw"
	}
	return "none"
}

func modeOf(r wire.Role) Mode { return Mode(r) }

// JoinOption changes a join.
type JoinOption func(*node.Join)

// Own makes a node that both reads and writes a channel read what it sends itself, too.
func Own() JoinOption { return func(j *node.Join) { j.Own = true } }

// Start says where new readers of what this node sends begin.
type Start uint8

const (
	// StartOpen begins at the oldest message kept for readers yet to come, else with what is sent from now on. The default.
	StartOpen = Start(store.StartOpen)
	// StartHead begins with what is sent from now on. Nothing is kept for readers yet to come, so none can be too many.
	StartHead = Start(store.StartHead)
	// StartAll begins at the oldest message still in the log.
	StartAll = Start(store.StartAll)
)

// NewReaders sets where readers begin that join this node's channel from now on.
func NewReaders(s Start) JoinOption { return func(j *node.Join) { j.Start = store.Start(s) } }

// Journal keeps what is received on the channel for so long, in running time, to be looked at with Channel.Journal; less when the storage has no room. It
// costs about as much room as the log of what the senders sent.
func Journal(keep time.Duration) JoinOption {
	return func(j *node.Join) { j.Journal = max(keep, 0) }
}

// Channel is this node's membership of a channel. It is safe for concurrent use.
type Channel struct {
	c       *Connection
	name    string
	mode    Mode
	join    uint64
	journal bool
	err     error // the join failed: every call returns it
	left    atomic.Bool

	consumer consumer
}

// Join joins a channel, or resumes the join that the database remembers. If that cannot be, the channel it returns gives the
// error at every call; JoinChannel returns it at once.
func (c *Connection) Join(channel string, mode Mode) *Channel {
	ch, err := c.JoinChannel(channel, mode)
	if err != nil {
		return &Channel{c: c, name: channel, mode: mode, err: err}
	}
	return ch
}

// JoinChannel joins a channel, or resumes the join that the database remembers. The join is durable when it returns. Going from
// reading to WriteOnly ends the old join. Errors wrap ErrName, ErrJoined, ErrConfig, ErrClosed or ErrStorage.
func (c *Connection) JoinChannel(channel string, mode Mode, opts ...JoinOption) (*Channel, error) {
	if !wire.LegalName(channel) {
		return nil, errName("channel", channel)
	}
	if mode != ReadOnly && mode != WriteOnly && mode != RW {
		return nil, fmt.Errorf("join channel %s: %w: mode %d is none of ReadOnly, WriteOnly and RW", channel, ErrConfig, mode)
	}
	j := node.Join{Channel: channel, Role: wire.Role(mode)}
	for _, o := range opts {
		o(&j)
	}
	if j.Own && mode != RW {
		return nil, fmt.Errorf("join channel %s: %w: to read its own messages a node must join as RW", channel, ErrConfig)
	}
	if j.Journal > 0 && mode == WriteOnly {
		return nil, fmt.Errorf("join channel %s: %w: a journal keeps what is received, and WriteOnly receives nothing", channel, ErrConfig)
	}
	if err := c.reserve(channel); err != nil {
		return nil, fmt.Errorf("join channel %s: %w", channel, err)
	}
	j, err := c.node.Join(j) // waits for the disk, for as long as that is full
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.joining, channel)
	if err != nil {
		return nil, fmt.Errorf("join channel %s: %w", channel, publicError(err))
	}
	ch := &Channel{c: c, name: channel, mode: mode, join: j.Number, journal: j.Journal > 0}
	c.channels[channel] = ch
	return ch, nil
}

// reserve claims a channel that is about to be joined.
func (c *Connection) reserve(channel string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.channels[channel] != nil || c.joining[channel]:
		return ErrJoined
	}
	c.joining[channel] = true
	return nil
}

// Name is the channel's name.
func (ch *Channel) Name() string { return ch.name }

// Mode is what this node does on the channel.
func (ch *Channel) Mode() Mode { return ch.mode }

// Unsubscribe leaves the channel: the join ends, here at once and durably, elsewhere when they hear of it. What waits there for
// this node is removed. What this node sent and its readers have not had stays on record, pending, and goes on once the channel is joined to write again.
func (ch *Channel) Unsubscribe() error {
	if err := ch.usable(); err != nil {
		return err
	}
	return ch.c.Leave(ch.name)
}

func (ch *Channel) usable() error {
	if ch.err != nil {
		return ch.err
	}
	if ch.left.Load() {
		return fmt.Errorf("channel %s: %w", ch.name, ErrLeft)
	}
	return nil
}

func (ch *Channel) writable() error {
	if err := ch.usable(); err != nil {
		return err
	}
	if ch.mode&WriteOnly == 0 {
		return fmt.Errorf("send on channel %s, joined as %s: %w", ch.name, ch.mode, ErrRole)
	}
	return nil
}

// Header is a name and value that travel with a message.
type Header struct {
	Name, Value string
}

// Outgoing is a message to send.
type Outgoing struct {
	Data    []byte
	Headers []Header
	TTL     time.Duration // its expiry; 0: Config.MessageExpiry; NoExpiry: never
}

// SendOption changes one message.
type SendOption func(*Outgoing)

// Timeout sets when the message expires, instead of Config.MessageExpiry. It is not how long the call may take.
func Timeout(d time.Duration) SendOption { return func(o *Outgoing) { o.TTL = d } }

// WithHeader adds a header to the message.
func WithHeader(name, value string) SendOption {
	return func(o *Outgoing) { o.Headers = append(o.Headers, Header{name, value}) }
}

// SendMessage sends bytes, a string, or any other value as JSON, and returns when the message is durable. Errors wrap ErrRole,
// ErrTooLarge, ErrReaderFull, ErrStorageFull, ErrNotWritable, ErrLeft or ErrClosed: then nothing was stored; or ErrStorage: then that is not known.
func (ch *Channel) SendMessage(v any, opts ...SendOption) error {
	var o Outgoing
	switch v := v.(type) {
	case []byte:
		o.Data = v
	case string:
		o.Data = []byte(v)
	default:
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("send on channel %s: %w", ch.name, err)
		}
		o.Data = data
	}
	for _, opt := range opts {
		opt(&o)
	}
	_, err := ch.Send(context.Background(), o)
	return err
}

// Send sends a message, returns when it is durable, and returns its id. If ctx ends first, the error wraps ctx's; if the message was accepted by then and may yet
// be stored, it wraps ErrUnknown too, else nothing was stored.
func (ch *Channel) Send(ctx context.Context, m Outgoing) (id string, err error) {
	r, err := ch.submit(ctx, []Outgoing{m}, nil)
	if err != nil {
		return "", err
	}
	if err := r.Wait(ctx); err != nil {
		return "", ch.sendError(err)
	}
	return ch.c.messageID(r.Seq()), nil
}

// SendBatch sends messages in order, all of them or none, and returns when they are durable: they are one transaction, across crashes too. Errors
// are as Send's.
func (ch *Channel) SendBatch(ctx context.Context, batch []Outgoing) error {
	if len(batch) == 0 {
		return nil
	}
	r, err := ch.submit(ctx, batch, nil)
	if err != nil {
		return err
	}
	return ch.sendError(r.Wait(ctx))
}

// SendAsync hands a message over to be stored and returns; done is called with the outcome, which is as SendMessage's. It blocks while
// too much is waiting to be stored. Messages of one goroutine keep their order. Done runs on the goroutine that writes: it must not block
// and must not call the connection.
func (ch *Channel) SendAsync(m Outgoing, done func(error)) {
	report := func(err error) { done(ch.sendError(err)) }
	if _, err := ch.submit(context.Background(), []Outgoing{m}, report); err != nil {
		done(err)
	}
}

func (ch *Channel) submit(ctx context.Context, batch []Outgoing, done func(error)) (outbox.Receipt, error) {
	if err := ch.writable(); err != nil {
		return outbox.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return outbox.Receipt{}, fmt.Errorf("send on channel %s: nothing was stored: %w", ch.name, err)
	}
	messages := make([]wire.Message, len(batch))
	for i := range batch {
		if err := ch.c.encode(&messages[i], batch[i].Data, batch[i].Headers, batch[i].TTL); err != nil {
			return outbox.Receipt{}, fmt.Errorf("send on channel %s: %w", ch.name, err)
		}
	}
	r, err := ch.c.node.Outbox().Send(ctx, ch.name, messages, done)
	if err != nil {
		return r, ch.sendError(err)
	}
	if ch.c.taps.watched(ch.name) {
		ch.c.tapSent(ch.name, messages)
	}
	return r, nil
}

// encode fills in a message as it travels.
func (c *Connection) encode(m *wire.Message, data []byte, headers []Header, ttl time.Duration) error {
	if ttl == 0 {
		ttl = c.config.MessageExpiry
	}
	m.Data = data
	if ttl > 0 {
		m.TTL = max(ttl.Milliseconds(), 1)
	}
	for _, h := range headers {
		m.Headers = append(m.Headers, wire.Header(h))
	}
	return checkHeaders(headers)
}

// checkHeaders holds headers to what the format carries.
func checkHeaders(headers []Header) error {
	size := 0
	for _, h := range headers {
		if h.Name == "" {
			return fmt.Errorf("%w: a header without a name", ErrName)
		}
		size += len(h.Name) + len(h.Value) + 10
	}
	if len(headers) > wire.MaxHeaders || size > wire.MaxHeaderBytes {
		return fmt.Errorf("%w: %d headers of about %d bytes, the most are %d and %d", ErrTooLarge, len(headers), size, wire.MaxHeaders, wire.MaxHeaderBytes)
	}
	return nil
}

func (ch *Channel) sendError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, outbox.ErrReaderFull):
		return fmt.Errorf("%w: %w", ErrReaderFull, err)
	case errors.Is(err, outbox.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return fmt.Errorf("send on channel %s: %w", ch.name, publicError(err))
}

func (c *Connection) messageID(seq uint64) string {
	return string(wire.AppendMessageID(nil, c.node.Store().ID(), c.node.Store().Run(), seq))
}
