package connect

import (
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// Header is one name and value of a message.
type Header struct{ Name, Value string }

// Record is a message on its way out.
type Record struct {
	ID, Channel, Sender string
	Seq                 uint64
	Created             time.Time
	Headers             []Header
	Data                []byte
}

// ErrUnfit means that an output will never take this message, however often it is tried: its content is wrong, not the output. An output wraps it.
var ErrUnfit = errors.New("the output cannot take this message")

// Output takes messages out of the router. Its methods may be called from several goroutines.
type Output interface {
	// Write returns nil once the message has arrived. After an error nothing of it counts as written, and the caller tries again: an error that
	// wraps ErrUnfit costs the message an attempt, any other holds everything up until the output works again.
	Write(r *Record) error
	Close() error
}

// Format is how an output writes a message.
type Format string

// FormatRaw is the message itself and a line feed; FormatJSON is an object a line:
// {"id","channel","sender","seq","created_ms","headers":{…},"data"}, with data_base64 in place of data for what is no UTF-8.
const (
	FormatRaw  Format = "raw"
	FormatJSON Format = "json"
)

func (f Format) render(r *Record) []byte {
	if f != FormatJSON {
		return append(append(make([]byte, 0, len(r.Data)+1), r.Data...), '\n')
	}
	out := make([]byte, 0, len(r.Data)+256)
	out = append(append(out, `{"id":`...), quote(r.ID)...)
	out = append(append(out, `,"channel":`...), quote(r.Channel)...)
	out = append(append(out, `,"sender":`...), quote(r.Sender)...)
	out = strconv.AppendUint(append(out, `,"seq":`...), r.Seq, 10)
	out = strconv.AppendInt(append(out, `,"created_ms":`...), r.Created.UnixMilli(), 10)
	for i, h := range r.Headers {
		out = append(out, [2]string{`,"headers":{`, `,`}[min(i, 1)]...)
		out = append(append(append(out, quote(h.Name)...), ':'), quote(h.Value)...)
	}
	if len(r.Headers) > 0 {
		out = append(out, '}')
	}
	if utf8.Valid(r.Data) {
		out = append(append(out, `,"data":`...), quote(string(r.Data))...)
	} else {
		out = append(out, `,"data_base64":"`...)
		out = append(base64.StdEncoding.AppendEncode(out, r.Data), '"')
	}
	return append(out, "}\n"...)
}

// stream writes to something that is open already, such as standard output.
type stream struct {
	mu     sync.Mutex
	writer io.Writer
	format Format
}

// NewStream returns an output that writes to w, which stays open.
func NewStream(w io.Writer, format Format) Output { return &stream{writer: w, format: format} }

func (s *stream) Write(r *Record) error {
	data := s.format.render(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.writer.Write(data)
	return err
}

func (s *stream) Close() error { return nil }
