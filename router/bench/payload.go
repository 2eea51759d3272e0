package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
)

// MinSize is the smallest message in bytes: what tells writer and number needs the room.
const MinSize = 64

// A message looks like the JSON that machines report about themselves, cut to size. It starts with the writer and its number
// in fixed places; then come fields with common names and random values, so that it compresses, but not to nothing.
const (
	prefix     = `{"w":"00","n":"0000000000","host":"edge-`
	writerAt   = len(`{"w":"`)
	writerSize = len(`00`)
	numberAt   = len(`{"w":"00","n":"`)
	numberSize = len(`0000000000`)
	maxWriters = 100
)

// templates is how many different messages a payload rotates through, so that no compressor sees one text over and over.
const templates = 512

// payload makes messages of one size. It is safe for concurrent use.
type payload struct {
	bodies [][]byte
}

func newPayload(size int) (*payload, error) {
	if size < MinSize {
		return nil, fmt.Errorf("%w: messages of %d bytes, the least is %d", ErrPlan, size, MinSize)
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same text in every run
	p := &payload{bodies: make([][]byte, templates)}
	for i := range p.bodies {
		p.bodies[i] = body(random, size)
	}
	return p, nil
}

func body(random *rand.Rand, size int) []byte {
	b := append(make([]byte, 0, size+80), prefix...)
	b = append(strconv.AppendInt(b, random.Int64N(1000), 10), '"')
	for names := []string{"cpu", "memory", "disk", "network", "temperature"}; len(b) < size-1; {
		b = fmt.Appendf(b, `,"%s":%.6f`, names[random.IntN(len(names))], random.Float64()*1000)
	}
	return append(b[:size-1], '}')
}

// message returns a new message number n of the writer.
func (p *payload) message(writer, n int) []byte {
	b := bytes.Clone(p.bodies[(n+writer*7)%templates])
	putDigits(b[writerAt:writerAt+writerSize], writer)
	putDigits(b[numberAt:numberAt+numberSize], n)
	return b
}

func putDigits(b []byte, v int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}

// digits is putDigits backwards; false if b holds anything else.
func digits(b []byte) (int, bool) {
	v := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

// tally is one receiver's account: it checks that every writer's messages come complete and in order. take is called by
// one goroutine at a time, the rest from any.
type tally struct {
	payload *payload
	next    [maxWriters]int
	count   atomic.Int64
	fault   atomic.Pointer[error]
}

// take accounts for a message, with what is expected next of its writer.
func (t *tally) take(data []byte) {
	if err := t.check(data); err != nil {
		t.fault.CompareAndSwap(nil, &err)
	}
	t.count.Add(1)
}

func (t *tally) check(data []byte) error {
	size := len(t.payload.bodies[0])
	if len(data) != size {
		return fmt.Errorf("%w: a message of %d bytes, sent with %d", ErrDelivery, len(data), size)
	}
	writer, ok1 := digits(data[writerAt : writerAt+writerSize])
	n, ok2 := digits(data[numberAt : numberAt+numberSize])
	if !ok1 || !ok2 {
		return fmt.Errorf("%w: a message that starts with %q", ErrDelivery, data[:numberAt+numberSize])
	}
	if n != t.next[writer] {
		return fmt.Errorf("%w: message %d of writer %d came when %d was next", ErrDelivery, n, writer, t.next[writer])
	}
	t.next[writer]++
	// Comparing whole messages would cost more than carrying them; the last bytes tell a message that was mixed up.
	if want := t.payload.bodies[(n+writer*7)%templates]; !bytes.Equal(data[size-16:], want[size-16:]) {
		return fmt.Errorf("%w: message %d of writer %d was changed", ErrDelivery, n, writer)
	}
	return nil
}

// err returns the first fault.
func (t *tally) err() error {
	if fault := t.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}
