package rmds

import (
	"encoding/binary"
	"time"
)

// Message is the message of the call under way; it must not be kept. Its fields are fetched from the router when they are asked for, and always
// show the message as it came in, whatever was set.
type Message struct {
	size int
	body []byte
	read bool
}

// Header is a name with a value.
type Header struct{ Name, Value string }

// buffer holds the body of the call under way; calls take turns, so that one serves all.
var buffer []byte

const keepBuffer = 1 << 20

func newMessage(n int32) *Message { return &Message{size: int(n)} }

// Size is the length of the body in bytes.
func (m *Message) Size() int { return m.size }

// Body is the message's body, valid until the call returns; it may be changed in place, which changes nothing for others. See SetBody.
func (m *Message) Body() []byte {
	if m.read {
		return m.body
	}
	if cap(buffer) < m.size || (cap(buffer) > keepBuffer && m.size < keepBuffer) {
		buffer = make([]byte, m.size)
	}
	m.body, m.read = buffer[:m.size], true
	hostRead(fieldBody, 0, m.body)
	return m.body
}

// ID names the message for ever.
func (m *Message) ID() string { return readText(fieldID) }

// Channel is where it was sent.
func (m *Message) Channel() string { return readText(fieldChannel) }

// Sender is the id of the node that sent it.
func (m *Message) Sender() string { return readText(fieldSender) }

// LastError is why the attempt before failed, empty at the first.
func (m *Message) LastError() string { return readText(fieldLastError) }

// Attempt is 1 at the first.
func (m *Message) Attempt() int { return int(hostNum(numAttempt)) }

// Seq is the message's number in its sender's log.
func (m *Message) Seq() uint64 { return uint64(hostNum(numSeq)) }

// Created is when the message was sent, by the sender's clock.
func (m *Message) Created() time.Time { return time.UnixMilli(hostNum(numCreated)) }

// Expires is when the message expires; ok is false if it never does.
func (m *Message) Expires() (at time.Time, ok bool) {
	ms := hostNum(numExpires)
	return time.UnixMilli(ms), ms > 0
}

// Header is the value of the first header of that name.
func (m *Message) Header(name string) (value string, ok bool) {
	b, code := fill(func(buf []byte) int32 { return hostHeader(name, buf) })
	return string(b), code >= 0
}

// Headers are all headers, in order.
func (m *Message) Headers() []Header {
	b, _ := fill(func(buf []byte) int32 { return hostRead(fieldHeaders, 0, buf) })
	return parseHeaders(b)
}

// parseHeaders reads a header block: u32 count, then u32 length, name, u32 length, value for each. It stops where the block does.
func parseHeaders(b []byte) []Header {
	if len(b) < 4 {
		return nil
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	var headers []Header
	for ; count > 0; count-- {
		name, rest, ok := cutText(b)
		if !ok {
			break
		}
		value, rest, ok := cutText(rest)
		if !ok {
			break
		}
		headers, b = append(headers, Header{name, value}), rest
	}
	return headers
}

func cutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

// SetBody replaces the body; filters only, here and below.
func (m *Message) SetBody(body []byte) error { return check("set body", hostSet(fieldBody, body)) }

// SetChannel redirects the message to another channel, which needs the grant to emit there.
func (m *Message) SetChannel(channel string) error {
	return check("set channel "+channel, hostSet(fieldChannel, []byte(channel)))
}

// SetHeader sets a header, in place of all of that name.
func (m *Message) SetHeader(name, value string) error {
	return check("set header "+name, hostSetHeader(name, value))
}

// DeleteHeader removes all headers of that name.
func (m *Message) DeleteHeader(name string) error {
	return check("delete header "+name, hostDeleteHeader(name))
}

// fill calls f with growing buffers until the whole value fits.
func fill(f func(buf []byte) int32) ([]byte, int32) {
	buf := make([]byte, 256)
	for {
		n := f(buf)
		if n < 0 {
			return nil, n
		}
		if int(n) <= len(buf) {
			return buf[:n], n
		}
		buf = make([]byte, n)
	}
}

func readText(field int32) string {
	b, _ := fill(func(buf []byte) int32 { return hostRead(field, 0, buf) })
	return string(b)
}

const (
	fieldBody      = 0
	fieldID        = 1
	fieldChannel   = 2
	fieldSender    = 3
	fieldHeaders   = 4
	fieldConfig    = 5
	fieldPlugin    = 6
	fieldLastError = 7
	fieldNodeInfo  = 8

	numCreated = 0
	numAttempt = 1
	numExpires = 2
	numSeq     = 3
	numNow     = 4
	numLeft    = 7
)
