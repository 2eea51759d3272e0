// Package connect holds the inputs and outputs of a router: what flows in from this machine, and what flows out to it.
//
// An input reads its source, hands batches to a Sink and remembers its place in the same transaction, so that nothing is
// lost or sent twice when the process dies. When the sink refuses, the input waits: it never drops.
// An output's Write returns once the message has arrived; that is what acknowledges it.
package connect

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// The most that an input gives to a sink at once.
const (
	maxBatch      = 1000
	maxBatchBytes = 256 << 10
	// maxLine is the longest line that becomes one message, in bytes; longer ones become several.
	maxLine = 1 << 20
)

// Change is something an input remembers. A nil Value forgets the key.
type Change struct {
	Key   string
	Value []byte
}

// Sink takes what one input has read.
type Sink interface {
	// Commit sends messages in order and returns how many of them are durable, counted from the first; err says why the
	// rest is not. place(n) is what to remember in the transaction that makes the first n durable; it may be nil.
	// The messages must not be changed afterwards. Without messages it only remembers place(0).
	Commit(ctx context.Context, messages [][]byte, place func(n int) []Change) (n int, err error)
	// Remembered returns everything this input has remembered.
	Remembered() ([]Change, error)
}

// Input is a source of messages.
type Input interface {
	// Run reads until the source ends or ctx is done. Both return nil.
	Run(ctx context.Context) error
}

// The waits between two tries at a sink that refuses, and between two words about it in the log.
const (
	firstWait = 20 * time.Millisecond
	longWait  = 2 * time.Second
	sayAgain  = 30 * time.Second
)

// deliver hands all messages to the sink, trying again for as long as it refuses. It returns an error only when ctx is done.
func deliver(ctx context.Context, sink Sink, log zerolog.Logger, messages [][]byte, place func(n int) []Change) error {
	return deliverWith(ctx, sink, log, messages, place, sleep)
}

// deliverWith is deliver with another way to wait.
func deliverWith(ctx context.Context, sink Sink, log zerolog.Logger, messages [][]byte, place func(n int) []Change, sleep func(context.Context, time.Duration) error) error {
	sent, wait := 0, firstWait
	var refused, said time.Time
	for {
		done := sent
		n, err := sink.Commit(ctx, messages[sent:], func(n int) []Change {
			if place == nil {
				return nil
			}
			return place(done + n)
		})
		sent += n
		if err == nil {
			if !said.IsZero() {
				log.Info().Dur("waited", time.Since(refused)).Msg("the channel takes messages again")
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		now := time.Now()
		if refused.IsZero() {
			refused = now
		}
		if n > 0 {
			wait = firstWait
		}
		if now.Sub(said) >= sayAgain {
			said = now
			log.Warn().Err(err).Int("waiting", len(messages)-sent).Msg("the channel refuses messages; the input waits and keeps its place")
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, longWait)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
