package router

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/connect"
)

// The namespaces of what inputs remember and of what their filters rejected. No plugin can have such a name.
const (
	inputNamespace    = "input/"
	rejectedNamespace = "rejected/"
	rejectedCounts    = "rejected/" // keys are the inputs' names, values 8 bytes, little-endian
)

// sink takes what one input reads: through the outbound filters of its channel, into one transaction with the input's place.
type sink struct {
	router  *Router
	input   string
	channel string
	gates   gates
	log     zerolog.Logger
	letters uint32
	// rejected is how many messages of this input were rejected since the database was made; it is stored under rejectedCounts.
	rejected atomic.Int64
}

func (s *sink) namespace() string { return inputNamespace + s.input }

// Commit is connect.Sink's.
func (s *sink) Commit(ctx context.Context, messages [][]byte, place func(n int) []connect.Change) (int, error) {
	if err := s.gates.take(ctx); err != nil {
		return 0, err
	}
	p := &pass{router: s.router}
	n, rejected, refused := s.gather(ctx, p, messages)
	if n == 0 && refused != nil {
		s.gates.release()
		return 0, refused
	}
	var state []engine.StateChange
	for _, c := range place(n) {
		state = append(state, engine.StateChange{Namespace: s.namespace(), Key: []byte(c.Key), Value: c.Value})
	}
	total := s.rejected.Load() + rejected
	if rejected > 0 {
		state = append(state, engine.StateChange{Namespace: rejectedCounts, Key: []byte(s.input), Value: binary.LittleEndian.AppendUint64(nil, uint64(total))})
	}
	if _, err := s.router.commit(ctx, p, state, s.gates); err != nil {
		return 0, err
	}
	s.rejected.Store(total) // Commit is called by the one goroutine of its input
	return n, refused
}

// recount reads how many messages were rejected before this start.
func (s *sink) recount() {
	value, _, err := s.router.engine.State().Get(rejectedCounts, []byte(s.input))
	if err != nil {
		s.log.Warn().Err(err).Msg("how many messages of this input were rejected before cannot be read; counting from 0")
	} else if len(value) == 8 {
		s.rejected.Store(int64(binary.LittleEndian.Uint64(value)))
	}
}

// gather runs messages through the filters until one is held, and returns how many came through, how many of them were rejected,
// and why the next did not.
// What a filter rejects for good is kept, since nobody is there to be told.
func (s *sink) gather(ctx context.Context, p *pass, messages [][]byte) (n int, rejected int64, refused error) {
	now := time.Now()
	for i, data := range messages {
		before := p.mark()
		v := p.out(ctx, plugins.Message{Channel: s.channel, Sender: s.router.node, Body: data, Created: now.UnixMilli(), Attempt: 1}, timing{}, 0)
		switch v.end {
		case held:
			p.rewind(before)
			return i, rejected, errors.New(v.reason)
		case dead:
			p.rewind(before)
			s.log.Error().Str("reason", v.reason).Int("bytes", len(data)).Msg("a message of this input is rejected and is not sent; the database keeps it: see \"rmds-router dlq ls\"")
			rejected++
			p.effects.State = append(p.effects.State, s.letter(now, data, v.reason))
		}
	}
	return len(messages), rejected, nil
}

// letter keeps a rejected message as JSON, under a key that sorts by time.
func (s *sink) letter(now time.Time, data []byte, reason string) engine.StateChange {
	key := binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))
	s.letters++
	key = binary.BigEndian.AppendUint32(key, s.letters)
	return inputLetter{s.input, key}.kept(&rejection{Channel: s.channel, Reason: reason, Data: data})
}

// Remembered is connect.Sink's.
func (s *sink) Remembered() ([]connect.Change, error) {
	state := s.router.engine.State()
	var list []connect.Change
	for key, ok, err := state.Next(s.namespace(), nil); ok || err != nil; key, ok, err = state.Next(s.namespace(), key) {
		if err != nil {
			return nil, fmt.Errorf("read what input %s remembers: %w", s.input, err)
		}
		value, _, err := state.Get(s.namespace(), key)
		if err != nil {
			return nil, fmt.Errorf("read what input %s remembers: %w", s.input, err)
		}
		list = append(list, connect.Change{Key: string(key), Value: value})
	}
	return list, nil
}
