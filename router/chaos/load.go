package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/router/admin"
)

const (
	streams = 3
	// gap lies between two messages of a stream. It bounds what a long run leaves on the disk.
	gap = 8 * time.Millisecond
	// sendPatience is long: a send that is given up on may still be carried out, behind one that was begun later.
	sendPatience = 5 * time.Minute
)

// The sizes of messages: small ones vary below a limit; bulky ones are for filling a storage.
const (
	small = 220
	bulky = 48 << 10
	// effect is how much of a message the plugin emits.
	effect = 256
)

// body is a message as it is sent: its stream and its number, which begins at 1, name it, and what follows is made of them and cannot be
// compressed.
func body(stream, number, size int) []byte {
	b := fmt.Appendf(nil, "%d %d ", stream, number)
	for random := rand.New(rand.NewPCG(uint64(stream), uint64(number))); len(b) < size; {
		b = strconv.AppendUint(b, random.Uint64(), 36)
	}
	return b
}

// parse takes an effect apart; ok is false if no message has it.
func parse(data string) (stream, number int, ok bool) {
	if n, err := fmt.Sscanf(data, "%d %d ", &stream, &number); n != 2 || err != nil || stream < 0 || stream >= streams || number < 1 {
		return 0, 0, false
	}
	for _, size := range []int{sizeOf(number, false), effect} { // what is longer than an effect is cut
		if whole := body(stream, number, size); string(whole[:min(len(whole), effect)]) == data {
			return stream, number, true
		}
	}
	return 0, 0, false
}

func sizeOf(number int, bulk bool) int {
	if bulk {
		return bulky
	}
	return number % small
}

// stream is what one client sent.
type stream struct {
	sent      int  // attempts, numbered from 1
	confirmed bits // of the others it is not known whether they were accepted, unless they were refused
	refused   bits
}

// load sends until it is stopped.
type load struct {
	streams   [streams]stream // to be read after stop
	confirmed atomic.Int64
	refused   atomic.Int64
	bulk      atomic.Bool // bulky messages, for the time being
	work      sync.WaitGroup
	cancel    context.CancelFunc
}

func startLoad(client *admin.Client) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel}
	for i := range l.streams {
		l.work.Go(func() { l.run(ctx, client, i) })
	}
	return l
}

// stop waits until every stream has its last answer.
func (l *load) stop() {
	l.cancel()
	l.work.Wait()
}

// run sends one message after the other to a writer that may be down, paused or full.
func (l *load) run(ctx context.Context, client *admin.Client, index int) {
	s := &l.streams[index]
	for ctx.Err() == nil {
		s.sent++
		wait := gap
		switch err := send(client, body(index, s.sent, sizeOf(s.sent, l.bulk.Load()))); {
		case err == nil:
			s.confirmed.set(s.sent)
			l.confirmed.Add(1)
		case full(err):
			s.refused.set(s.sent)
			l.refused.Add(1)
			wait = 20 * gap
		default:
			wait = 10 * gap
		}
		pause(ctx, wait)
	}
}

// send has no context of the load's: a send that has begun is finished, or its outcome would not be known.
func send(client *admin.Client, data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), sendPatience)
	defer cancel()
	if _, err := client.Send(ctx, loadChannel, admin.Outgoing{Data: data}); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// full tells whether the writer refused a message, so that it is certain that it was not accepted.
func full(err error) bool {
	var p *admin.Problem
	return errors.As(err, &p) && p.Status == http.StatusInsufficientStorage
}

// bits is a set of numbers from 1.
type bits struct {
	words []uint64
	count int
}

func (b *bits) set(n int) {
	for n/64 >= len(b.words) {
		b.words = append(b.words, 0)
	}
	if !b.has(n) {
		b.words[n/64] |= 1 << (n % 64)
		b.count++
	}
}

func (b *bits) has(n int) bool {
	return n >= 0 && n/64 < len(b.words) && b.words[n/64]&(1<<(n%64)) != 0
}
