package wire

import "fmt"

// Management is a request to another node, or its response. Store, Run and ID name the request for ever; a response repeats them, and
// the verb.
type Management struct {
	Response bool
	Verb     uint8
	Store    ID // of the node that asks
	Run      ID // in which it asks
	ID       uint64
	Args     []string      // texts, at most MaxArgs of at most MaxText bytes
	Channels []OpenChannel // channels and joins to them, at most MaxChannels
}

// Append appends the frame to dst. It cuts arguments to MaxText bytes.
func (m *Management) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginFrame(dst, m.kind())
	dst = append(append(append(dst, m.Verb), m.Store[:]...), m.Run[:]...)
	dst = appendUint(dst, m.ID)
	dst = appendUint(dst, uint64(len(m.Args)))
	for _, arg := range m.Args {
		dst = appendText(dst, arg)
	}
	return endFrame(appendJoins(dst, m.Channels), start)
}

func (m *Management) kind() Kind {
	if m.Response {
		return KindResponse
	}
	return KindRequest
}

// Parse reads a frame of either kind. On error m is undefined.
func (m *Management) Parse(b []byte) error {
	m.Response = FrameKind(b) == KindResponse
	r, _, err := openFrame(b, m.kind())
	if err != nil {
		return fmt.Errorf("management frame: %w", err)
	}
	m.Verb = r.byte()
	m.Store, m.Run = r.id(), r.id()
	m.ID = r.uint()
	m.Args = resize(m.Args, r.count(MaxArgs, 1))
	for i := range m.Args {
		m.Args[i] = r.text()
	}
	m.Channels = r.joins(m.Channels)
	if err := r.end(); err != nil {
		return fmt.Errorf("management frame: %w", err)
	}
	return nil
}

// ParseManagement reads a frame of either kind. Errors wrap those of this package.
func ParseManagement(b []byte) (*Management, error) {
	m := new(Management)
	if err := m.Parse(b); err != nil {
		return nil, err
	}
	return m, nil
}
