package author

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/getevo/rmds-router/plugins"
)

// CasesFile holds a folder's test cases.
const CasesFile = "cases.yaml"

// Suite is a file of test cases.
type Suite struct {
	Cases []Case `yaml:"cases"`
}

// Case is a fresh plugin with its own clock and keys, and calls of it in order.
type Case struct {
	Name  string           `yaml:"name"`
	Now   time.Time        `yaml:"now"` // the clock at the start; 2026-01-01 if absent. It moves only by Advance.
	KV    map[string]Value `yaml:"kv"`
	Steps []Step           `yaml:"steps"`
	After map[string]Value `yaml:"kv_after"` // all keys at the end; null: the key must be absent
}

// Step is one call and what is expected of it. Exactly one of Filter, Handle and Tick is set.
type Step struct {
	Advance time.Duration `yaml:"advance"` // moves the clock before the call
	Filter  *Message      `yaml:"filter"`
	Handle  *Message      `yaml:"handle"`
	Tick    bool          `yaml:"tick"`
	Expect  Expect        `yaml:"expect"`
}

// Message is what goes in. The body is one of Body, JSON and Base64.
type Message struct {
	Content   `yaml:",inline"`
	ID        string            `yaml:"id"`
	Channel   string            `yaml:"channel"`
	Sender    string            `yaml:"sender"`
	Headers   map[string]string `yaml:"headers"`
	Seq       uint64            `yaml:"seq"`
	Attempt   int               `yaml:"attempt"`
	Created   time.Time         `yaml:"created"`
	Expires   time.Time         `yaml:"expires"`
	LastError string            `yaml:"last_error"`
}

// Content is bytes, as text, as JSON (compared by meaning), or in base64.
type Content struct {
	Body   *string `yaml:"body"`
	JSON   *JSON   `yaml:"json"`
	Base64 string  `yaml:"base64"`
}

// JSON is any value, written in YAML.
type JSON struct{ encoded []byte }

// UnmarshalYAML implements yaml.Unmarshaler.
func (j *JSON) UnmarshalYAML(n *yaml.Node) error {
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	var err error
	if j.encoded, err = json.Marshal(v); err != nil {
		return fmt.Errorf("line %d: this cannot be JSON: %w", n.Line, err)
	}
	return nil
}

// Expect is what must come of a call. What is left out is not looked at, except that the verdict must be pass (or ack), and that there must be exactly the emits listed.
type Expect struct {
	Content    `yaml:",inline"`
	Verdict    string            `yaml:"verdict"`
	Reason     string            `yaml:"reason"` // a part of it
	Channel    string            `yaml:"channel"`
	Headers    map[string]string `yaml:"headers"` // these, among others
	Emits      []Emitted         `yaml:"emits"`
	Log        []string          `yaml:"log"` // parts of lines, in order
	RetryAfter time.Duration     `yaml:"retry_after"`
}

// Emitted is one message that a call emits.
type Emitted struct {
	Content `yaml:",inline"`
	Channel string            `yaml:"channel"`
	Headers map[string]string `yaml:"headers"`
	TTL     time.Duration     `yaml:"ttl"`
	Delay   time.Duration     `yaml:"delay"`
}

// Value is a key's value: a whole number is a counter, a text its bytes, null none.
type Value struct{ bytes []byte }

// UnmarshalYAML implements yaml.Unmarshaler.
func (v *Value) UnmarshalYAML(n *yaml.Node) error {
	var counter int64
	switch {
	case n.Tag == "!!null":
		v.bytes = nil
	case n.Tag == "!!int" && n.Decode(&counter) == nil:
		v.bytes = counterBytes(counter)
	case n.Kind == yaml.ScalarNode:
		v.bytes = []byte(n.Value)
	default:
		return fmt.Errorf("line %d: a key's value is a text, a whole number (a counter) or null", n.Line)
	}
	return nil
}

// ReadSuite reads a file of test cases; the error wraps ErrCases.
func ReadSuite(file string) (*Suite, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCases, err)
	}
	var s Suite
	if err := strict(b, &s); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCases, filepath.Base(file), err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCases, filepath.Base(file), err)
	}
	return &s, nil
}

func (s *Suite) check() error {
	if len(s.Cases) == 0 {
		return errors.New("there is no case in it")
	}
	for i := range s.Cases {
		c := &s.Cases[i]
		if c.Name == "" {
			c.Name = fmt.Sprintf("case %d", i+1)
		}
		for k := range c.Steps {
			if err := c.Steps[k].check(); err != nil {
				return fmt.Errorf("%s, step %d: %w", c.Name, k+1, err)
			}
		}
	}
	return nil
}

func (s *Step) check() error {
	calls := 0
	for _, set := range []bool{s.Filter != nil, s.Handle != nil, s.Tick} {
		if set {
			calls++
		}
	}
	if calls != 1 {
		return errors.New("it needs one of filter, handle and tick: true")
	}
	if !slices.Contains(verdicts, s.Expect.Verdict) {
		return fmt.Errorf("verdict %q is none of pass, ack, drop, retry, dead, fault", s.Expect.Verdict)
	}
	contents := []*Content{&s.Expect.Content}
	for _, m := range []*Message{s.Filter, s.Handle} {
		if m != nil {
			contents = append(contents, &m.Content)
		}
	}
	for i := range s.Expect.Emits {
		contents = append(contents, &s.Expect.Emits[i].Content)
	}
	for _, c := range contents {
		if _, _, err := c.bytes(); err != nil {
			return err
		}
	}
	return nil
}

// verdicts are what an expectation may name; nothing means pass.
var verdicts = []string{"", "pass", "ack", "drop", "retry", "dead", "fault"}

// bytes gives the content; set tells whether there is one.
func (c *Content) bytes() (b []byte, set bool, err error) {
	switch {
	case c.Body != nil && c.JSON == nil && c.Base64 == "":
		return []byte(*c.Body), true, nil
	case c.Body == nil && c.JSON != nil && c.Base64 == "":
		return c.JSON.encoded, true, nil
	case c.Body == nil && c.JSON == nil && c.Base64 != "":
		b, err := base64.StdEncoding.DecodeString(c.Base64)
		return b, true, err
	case c.Body == nil && c.JSON == nil:
		return nil, false, nil
	}
	return nil, true, errors.New("it has more than one of body, json and base64")
}

// message makes the plugin host's message of it.
func (m *Message) message(now time.Time, number int) plugins.Message {
	body, _, _ := m.bytes() // checked when the file was read
	o := plugins.Message{ID: m.ID, Channel: m.Channel, Sender: m.Sender, Seq: m.Seq, Attempt: max(m.Attempt, 1), LastError: m.LastError, Body: body}
	if o.ID == "" {
		o.ID = fmt.Sprintf("m%d", number)
	}
	if o.Channel == "" {
		o.Channel = "test"
	}
	if o.Sender == "" {
		o.Sender = "tester"
	}
	if o.Seq == 0 {
		o.Seq = uint64(number)
	}
	o.Created = now.UnixMilli()
	if !m.Created.IsZero() {
		o.Created = m.Created.UnixMilli()
	}
	if !m.Expires.IsZero() {
		o.Expires = m.Expires.UnixMilli()
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		o.Headers = append(o.Headers, plugins.Header{Name: name, Value: m.Headers[name]})
	}
	return o
}
