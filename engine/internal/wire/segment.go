package wire

import "fmt"

// The flags that each encoded message starts with.
const (
	timesSame  = 0      // both times are those of the message before
	timesDelta = 1      // differences follow
	timesFull  = 2      // the times themselves follow, and nothing carries over from the message before
	timesMask  = 3      // 3 is not used
	hasTTL     = 1 << 2 // else the TTL is that of the message before, or 0 after timesFull
	hasHops    = 1 << 3
	hasCause   = 1 << 4
	hasHeaders = 1 << 5
	knownFlags = 1<<6 - 1
)

// carried is what a message takes over from the one before it.
type carried struct {
	started bool
	engine  int64
	wall    int64
	ttl     int64
}

// SegmentWriter encodes messages one after another. A segment stands on its own: segments of one channel, put one behind the other,
// are the body of a batch. The zero value is ready for use.
type SegmentWriter struct {
	buf              []byte
	count            int
	earliest, latest int64
	last             carried
}

// Reset starts a new segment, in the memory of buf from its beginning.
func (w *SegmentWriter) Reset(buf []byte) { *w = SegmentWriter{buf: buf[:0]} }

// Bytes returns the segment so far. It stays valid until the next Append or Reset.
func (w *SegmentWriter) Bytes() []byte { return w.buf }

// Count is the number of messages appended.
func (w *SegmentWriter) Count() int { return w.count }

// Earliest is the earliest expiry in engine time; 0 if no message expires.
func (w *SegmentWriter) Earliest() int64 { return w.earliest }

// Latest is the latest expiry in engine time; 0 if at least one message never expires, or there is none.
func (w *SegmentWriter) Latest() int64 { return w.latest }

// Append encodes m and keeps nothing of it. It allocates only to grow the buffer. On error, which wraps ErrLimit, nothing changed.
func (w *SegmentWriter) Append(m *Message) error {
	if err := w.check(m); err != nil {
		return err
	}
	flags := byte(timesFull)
	var ttl int64
	if w.last.started {
		ttl = w.last.ttl
		flags = timesDelta
		if m.Engine == w.last.engine && m.Wall == w.last.wall {
			flags = timesSame
		}
	}
	at := len(w.buf)
	b := append(w.buf, 0)
	switch flags {
	case timesFull:
		b = appendUint(appendUint(b, uint64(m.Engine)), zigzag(m.Wall))
	case timesDelta:
		engine := m.Engine - w.last.engine
		b = appendUint(appendUint(b, zigzag(engine)), zigzag(m.Wall-w.last.wall-engine))
	}
	if m.TTL != ttl {
		flags |= hasTTL
		b = appendUint(b, uint64(m.TTL))
	}
	if m.Hops != 0 {
		flags |= hasHops
		b = appendUint(b, uint64(m.Hops))
	}
	if c := m.Cause; c != nil {
		flags |= hasCause
		b = append(append(b, c.Store[:]...), c.Run[:]...)
		b = appendUint(appendUint(b, c.Seq), uint64(c.Index))
	}
	if len(m.Headers) != 0 {
		flags |= hasHeaders
		b = appendUint(b, uint64(len(m.Headers)))
		for i := range m.Headers {
			b = appendString(appendString(b, m.Headers[i].Name), m.Headers[i].Value)
		}
	}
	b = appendUint(b, uint64(len(m.Data)))
	b = append(b, m.Data...)
	b[at] = flags
	w.note(m, b)
	return nil
}

// note takes over the buffer with m at its end.
func (w *SegmentWriter) note(m *Message, buf []byte) {
	if m.TTL != 0 {
		expiry := m.Engine + m.TTL
		if w.earliest == 0 || expiry < w.earliest {
			w.earliest = expiry
		}
		if w.count == 0 || w.latest != 0 && expiry > w.latest {
			w.latest = expiry
		}
	} else {
		w.latest = 0
	}
	w.buf = buf
	w.count++
	w.last = carried{started: true, engine: m.Engine, wall: m.Wall, ttl: m.TTL}
}

// messageRoom is more than a message takes beside its data and headers.
const messageRoom = 128

func (w *SegmentWriter) check(m *Message) error {
	if uint64(m.Engine) > MaxTime || uint64(m.TTL) > MaxTime {
		return fmt.Errorf("%w: engine time %d, TTL %d", ErrLimit, m.Engine, m.TTL)
	}
	size := len(m.Data)
	if len(m.Headers) != 0 {
		n, err := headerBytes(m.Headers)
		if err != nil {
			return err
		}
		size += n
	}
	if len(w.buf)+size+messageRoom > MaxBody || w.count == MaxMessages {
		return fmt.Errorf("%w: segment of %d messages and %d bytes", ErrLimit, w.count+1, len(w.buf)+size)
	}
	return nil
}

// headerBytes returns how many bytes the headers take at most.
func headerBytes(headers []Header) (int, error) {
	if len(headers) > MaxHeaders {
		return 0, fmt.Errorf("%w: %d headers", ErrLimit, len(headers))
	}
	size := 0
	for i := range headers {
		if headers[i].Name == "" {
			return 0, fmt.Errorf("%w: a header without a name", ErrLimit)
		}
		size += uintSize(len(headers[i].Name)) + len(headers[i].Name) + uintSize(len(headers[i].Value)) + len(headers[i].Value)
		if size > MaxHeaderBytes {
			return 0, fmt.Errorf("%w: headers above %d bytes", ErrLimit, MaxHeaderBytes)
		}
	}
	return size, nil
}

func uintSize(v int) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// SealOne appends one message as a segment of its own. Errors wrap ErrLimit; dst is returned as it was then.
func SealOne(dst []byte, m *Message) ([]byte, error) {
	var w SegmentWriter
	w.buf = dst[len(dst):]
	if err := w.Append(m); err != nil {
		return dst, err
	}
	return append(dst, w.buf...), nil
}
