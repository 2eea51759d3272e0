package wire

import "fmt"

// Management is a request to another node, or its response. A response repeats the verb and the ID of its request.
type Management struct {
	Response bool
	Verb     uint8
	ID       uint64
	Args     []string // texts, at most MaxArgs of at most MaxText bytes
	Body     []byte   // at most MaxManagement bytes
}

// Append appends the frame to dst. It cuts arguments to MaxText bytes.
func (m *Management) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginFrame(dst, m.kind())
	dst = appendUint(append(dst, m.Verb), m.ID)
	dst = appendUint(dst, uint64(len(m.Args)))
	for _, arg := range m.Args {
		dst = appendText(dst, arg)
	}
	dst = append(appendUint(dst, uint64(len(m.Body))), m.Body...)
	return endFrame(dst, start)
}

func (m *Management) kind() Kind {
	if m.Response {
		return KindResponse
	}
	return KindRequest
}

// Parse reads a frame of either kind. Body aliases b. On error m is undefined.
func (m *Management) Parse(b []byte) error {
	m.Response = FrameKind(b) == KindResponse
	r, _, err := openFrame(b, m.kind())
	if err != nil {
		return fmt.Errorf("management frame: %w", err)
	}
	m.Verb = r.byte()
	m.ID = r.uint()
	m.Args = resize(m.Args, r.count(MaxArgs, 1))
	for i := range m.Args {
		m.Args[i] = r.text()
	}
	m.Body = r.take(r.upTo(MaxManagement))
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
