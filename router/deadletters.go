package router

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/admin"
)

// Ids of what was received are the engine's numbers; ids of what inputs read are the input's name, a colon, and the key in hexadecimal digits.

// inputLetter names a message that a filter rejected for good.
type inputLetter struct {
	input string
	key   []byte
}

func (l inputLetter) id() string { return l.input + ":" + hex.EncodeToString(l.key) }

func (l inputLetter) namespace() string { return rejectedNamespace + l.input }

// rejection is such a message as it is stored.
type rejection struct {
	Channel  string `json:"channel"`
	Reason   string `json:"reason"`
	Data     []byte `json:"data"`
	Attempts int    `json:"attempts,omitempty"` // of redrives
}

func noLetter(id string) error {
	return fmt.Errorf("%w: %q: \"rmds-router dlq ls\" lists them", admin.ErrNoDeadLetter, id)
}

// parseLetter reads an id: a number, or an input's letter.
func parseLetter(id string) (number int64, input *inputLetter, err error) {
	if name, key, ok := strings.Cut(id, ":"); ok {
		k, err := hex.DecodeString(key)
		if err != nil || len(k) != 12 {
			return 0, nil, noLetter(id)
		}
		return 0, &inputLetter{name, k}, nil
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, nil, noLetter(id)
	}
	return n, nil, nil
}

// DeadLetters lists what was received first, then what each input read.
func (r *Router) DeadLetters(f admin.DeadLetterFilter) ([]admin.DeadLetter, error) {
	after, last, err := parseCursor(f.After)
	if err != nil {
		return nil, err
	}
	number, key := through(f.Through)
	var list []admin.DeadLetter
	if last == nil && f.Input == "" {
		letters, err := r.engine.DeadLetters(engine.DeadLetterFilter{Channel: f.Channel, Sender: f.Sender, After: after, Through: number, Limit: f.Limit})
		if err != nil {
			return nil, err
		}
		for i := range letters {
			list = append(list, received(&letters[i]))
		}
	}
	if f.Sender != "" { // what inputs read was sent by nobody
		return list, nil
	}
	more, err := r.inputLetters(f, last, key, f.Limit-len(list))
	return append(list, more...), err
}

func parseCursor(after string) (number int64, last *inputLetter, err error) {
	if after == "" {
		return 0, nil, nil
	}
	return parseLetter(after)
}

func received(l *engine.DeadLetter) admin.DeadLetter {
	return admin.DeadLetter{ID: strconv.FormatInt(l.ID, 10), Channel: l.Channel, Sender: l.Sender, MessageID: l.MessageID, Seq: l.Seq, Reason: l.Reason,
		Attempts: l.Attempts, DiedMs: l.At.UnixMilli(), Size: l.Size}
}

// inputLetters lists what the inputs' filters rejected, by input and time, after a letter.
func (r *Router) inputLetters(f admin.DeadLetterFilter, last *inputLetter, through []byte, limit int) (list []admin.DeadLetter, err error) {
	state := r.engine.State()
	name, ok, err := state.Next(rejectedCounts, nil)
	for ; ok && err == nil && len(list) < limit; name, ok, err = state.Next(rejectedCounts, name) {
		l := inputLetter{input: string(name)}
		if f.Input != "" && f.Input != l.input || last != nil && l.input < last.input {
			continue
		}
		if last != nil && l.input == last.input {
			l.key = last.key
		}
		for len(list) < limit {
			if l.key, ok, err = state.Next(l.namespace(), l.key); err != nil || !ok || through != nil && string(l.key) > string(through) {
				break
			}
			kept, found, err := r.rejection(l)
			if err != nil {
				return nil, err
			}
			if found && (f.Channel == "" || f.Channel == kept.Channel) {
				list = append(list, l.listed(kept))
			}
		}
	}
	return list, err
}

func (l inputLetter) listed(kept *rejection) admin.DeadLetter {
	died := time.Unix(0, int64(binary.BigEndian.Uint64(l.key)))
	return admin.DeadLetter{ID: l.id(), Channel: kept.Channel, Input: l.input, Reason: kept.Reason, Attempts: 1 + kept.Attempts, DiedMs: died.UnixMilli(), Size: len(kept.Data)}
}

// rejection reads a kept message. One that cannot be read is found with a reason that says so.
func (r *Router) rejection(l inputLetter) (*rejection, bool, error) {
	value, ok, err := r.engine.State().Get(l.namespace(), l.key)
	if err != nil || !ok {
		return nil, false, err
	}
	var kept rejection
	if err := json.Unmarshal(value, &kept); err != nil {
		kept = rejection{Reason: "what is stored of it is damaged: " + err.Error(), Data: value}
	}
	return &kept, true, nil
}

// DeadLetterMark tells what is there now from what comes later.
func (r *Router) DeadLetterMark() (string, error) {
	last, err := r.engine.LastDeadLetter()
	return fmt.Sprintf("%d:%d", last, time.Now().UnixNano()), err
}

// through reads a mark; without one nothing is left out.
func through(mark string) (number int64, key []byte) {
	a, b, ok := strings.Cut(mark, ":")
	number, err1 := strconv.ParseInt(a, 10, 64)
	nanos, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return 0, nil
	}
	if number == 0 {
		number = -1 // there was none
	}
	return number, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(nanos)), ^uint32(0))
}

// DeadLetter returns one with its message.
func (r *Router) DeadLetter(id string) (*admin.DeadLetter, error) {
	number, input, err := parseLetter(id)
	if err != nil {
		return nil, err
	}
	if input != nil {
		kept, ok, err := r.rejection(*input)
		if err == nil && !ok {
			err = noLetter(id)
		}
		if err != nil {
			return nil, err
		}
		l := input.listed(kept)
		e := event(&engine.Message{Channel: kept.Channel, Sender: r.node, Data: kept.Data, CreatedAt: time.UnixMilli(l.DiedMs), Outgoing: true})
		l.Message = &e
		return &l, nil
	}
	letter, err := r.engine.DeadLetter(number)
	if errors.Is(err, engine.ErrNoDeadLetter) {
		return nil, noLetter(id)
	}
	if err != nil {
		return nil, err
	}
	l := received(letter)
	if letter.Message != nil {
		e := event(letter.Message)
		l.Message = &e
	}
	return &l, nil
}

// Redrive tries a dead letter once more: a message received goes to its channel's consumer, an input's through the filters of its channel.
func (r *Router) Redrive(ctx context.Context, id string) error {
	number, input, err := parseLetter(id)
	if err != nil {
		return err
	}
	if input != nil {
		return r.resend(ctx, *input)
	}
	if err = r.engine.Redrive(ctx, number); errors.Is(err, engine.ErrNoDeadLetter) {
		return noLetter(id)
	}
	return err
}

// DropDeadLetter deletes a dead letter for good.
func (r *Router) DropDeadLetter(id string) error {
	number, input, err := parseLetter(id)
	if err != nil {
		return err
	}
	if input == nil {
		if err = r.engine.DropDeadLetter(number); errors.Is(err, engine.ErrNoDeadLetter) {
			return noLetter(id)
		}
		return err
	}
	release, err := r.claim(*input)
	if err != nil {
		return err
	}
	defer release()
	if _, ok, err := r.rejection(*input); err != nil || !ok {
		return errors.Join(err, noLetter(id))
	}
	r.log.Warn().Str("letter", id).Msg("a message that an input's filter rejected is dropped")
	_, err = r.engine.Commit(context.Background(), engine.Effects{State: []engine.StateChange{input.gone()}}, nil)
	return err
}

// gone deletes the letter.
func (l inputLetter) gone() engine.StateChange {
	return engine.StateChange{Namespace: l.namespace(), Key: l.key}
}

// claim keeps others off an input's letter until release is called.
func (r *Router) claim(l inputLetter) (release func(), err error) {
	if _, taken := r.letters.LoadOrStore(l.id(), true); taken {
		return nil, fmt.Errorf("dead letter %s: %w", l.id(), engine.ErrDeadLetterBusy)
	}
	return func() { r.letters.Delete(l.id()) }, nil
}

// resend sends a message that was rejected through the filters once more. Its letter goes in the transaction that holds the message.
func (r *Router) resend(ctx context.Context, l inputLetter) error {
	release, err := r.claim(l)
	if err != nil {
		return err
	}
	defer release()
	kept, ok, err := r.rejection(l)
	if err != nil || !ok {
		return errors.Join(err, noLetter(l.id()))
	}
	g := r.outgates[kept.Channel]
	if err := g.take(ctx); err != nil {
		return fmt.Errorf("wait for the filters of channel %s: %w", kept.Channel, err)
	}
	p := &pass{router: r}
	now := time.Now().UnixMilli()
	v := p.out(ctx, plugins.Message{Channel: kept.Channel, Sender: r.node, Body: kept.Data, Created: now, Attempt: kept.Attempts + 2, LastError: kept.Reason}, timing{}, 0)
	switch v.end {
	case held:
		p.rewind(mark{})
		g.release()
		return fmt.Errorf("%w: %s", admin.ErrHeld, v.reason)
	case dead:
		p.rewind(mark{})
		kept.Reason, kept.Attempts = v.reason, kept.Attempts+1
		if _, err := r.commit(ctx, p, []engine.StateChange{l.kept(kept)}, g); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", engine.ErrStillDead, v.reason)
	}
	_, err = r.commit(ctx, p, []engine.StateChange{l.gone()}, g)
	return err
}

// kept stores the letter.
func (l inputLetter) kept(m *rejection) engine.StateChange {
	value, err := json.Marshal(m)
	if err != nil { // text and bytes always have a JSON form
		value = m.Data
	}
	return engine.StateChange{Namespace: l.namespace(), Key: l.key, Value: value}
}
