package wire

import (
	"fmt"
	"math"
)

// Decoder reads the messages of a batch in order. A batch that is in order yields exactly its First to Last; anything else is an error at the end at the latest.
type Decoder struct {
	r    reader
	next uint64 // the sequence of the next message
	left uint64
	last carried
}

// Next reads the next message into m and returns true, or false after the last one. m.Data aliases the batch's decompressed body, or the
// batch itself when it was not compressed; Cause and Headers are allocated when the message has them. After an error m is undefined,
// and every later call returns an error too.
func (d *Decoder) Next(m *Message) (bool, error) {
	if d.left == 0 {
		if d.r.bad || len(d.r.b) != 0 {
			return false, fmt.Errorf("%w: bytes behind the last message", ErrMalformed)
		}
		return false, nil
	}
	d.message(m)
	if d.r.bad {
		return false, fmt.Errorf("message %d of a batch: %w", d.next, ErrMalformed)
	}
	d.left--
	d.next++
	return true, nil
}

// Seq is the sequence of the message that Next returned last.
func (d *Decoder) Seq() uint64 { return d.next - 1 }

func (d *Decoder) message(m *Message) {
	r, last := &d.r, &d.last
	flags := r.byte()
	if flags&^knownFlags != 0 {
		r.fail()
	}
	switch flags & timesMask {
	case timesFull:
		*last = carried{started: true, engine: r.time(), wall: unzigzag(r.uint())}
	case timesDelta:
		engine := unzigzag(r.uint())
		last.engine += engine
		last.wall += engine + unzigzag(r.uint())
	case timesSame:
	default:
		r.fail()
	}
	if !last.started || uint64(last.engine) > MaxTime {
		r.fail()
	}
	if flags&hasTTL != 0 {
		last.ttl = r.time()
	}
	m.Engine, m.Wall, m.TTL = last.engine, last.wall, last.ttl
	m.Hops, m.Cause, m.Headers = 0, nil, nil
	if flags&hasHops != 0 {
		m.Hops = uint32(r.upTo(math.MaxUint32))
	}
	if flags&hasCause != 0 {
		m.Cause = &Cause{Store: r.id(), Run: r.id(), Seq: r.uint(), Index: uint32(r.upTo(math.MaxUint32))}
	}
	if flags&hasHeaders != 0 {
		m.Headers = r.headers()
	}
	m.Data = r.take(r.uint())
}

// headers reads a message's headers, with two allocations: the list, and one string that all names and values share.
func (r *reader) headers() []Header {
	n := r.count(MaxHeaders, 3)
	if n == 0 {
		r.fail()
		return nil
	}
	scan := reader{b: r.b}
	for range n {
		if len(scan.take(scan.uint())) == 0 {
			scan.fail()
		}
		scan.take(scan.uint())
	}
	size := len(r.b) - len(scan.b)
	if scan.bad || size > MaxHeaderBytes {
		r.fail()
		return nil
	}
	block, total := string(r.b[:size]), len(r.b)
	list := make([]Header, n)
	for i := range list {
		list[i].Name = r.part(block, total)
		list[i].Value = r.part(block, total)
	}
	return list
}

// part skips one string and returns it as a part of block, which is a copy of what r held when total bytes were left.
func (r *reader) part(block string, total int) string {
	n := int(r.uint())
	at := total - len(r.b)
	r.take(uint64(n))
	return block[at : at+n]
}

// ParseOne reads what SealOne wrote. Data aliases b.
func ParseOne(b []byte) (*Message, error) {
	d := Decoder{r: reader{b: b}, next: 1, left: 1}
	m := new(Message)
	if _, err := d.Next(m); err != nil {
		return nil, err
	}
	if _, err := d.Next(nil); err != nil {
		return nil, err
	}
	return m, nil
}
