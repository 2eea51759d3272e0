package wire

import "fmt"

// Append appends the frame to dst. It cuts Reason to MaxText bytes and each channel's Committed to its first MaxPositions.
func (s *Status) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginFrame(dst, KindStatus)
	dst = append(append(append(dst, s.ReceiverStore[:]...), s.ReceiverRun[:]...), s.SenderStore[:]...)
	dst = appendSession(dst, s.Session)
	dst = append(dst, byte(s.State))
	dst = appendBool(dst, s.Opened)
	dst = appendString(dst, s.Channel)
	dst = appendText(dst, s.Reason)
	dst = appendUint(dst, s.Received)
	dst = appendUint(dst, uint64(len(s.Channels)))
	for i := range s.Channels {
		dst = s.Channels[i].append(dst)
		if s.Opened {
			dst = append(dst, s.Channels[i].Proof[:]...)
		}
	}
	return endFrame(dst, start)
}

func (c *StatusChannel) append(dst []byte) []byte {
	dst = appendUint(appendString(dst, c.Name), c.Join)
	committed := c.Committed[:min(len(c.Committed), MaxPositions)]
	dst = appendUint(dst, uint64(len(committed)))
	for _, p := range committed {
		dst = appendPosition(dst, p)
	}
	dst = appendUint(appendPosition(dst, c.Received), c.Piece)
	for _, n := range c.Totals.list() {
		dst = appendUint(dst, *n)
	}
	return append(dst, byte(c.State))
}

// list returns the totals in their order on the wire.
func (t *Totals) list() [7]*uint64 {
	return [...]*uint64{&t.Handled, &t.Dead, &t.Expired, &t.Purged, &t.Overflow, &t.Pruned, &t.Corrupt}
}

// Parse reads a frame, reusing the memory that s holds. On error s is undefined.
func (s *Status) Parse(b []byte) error {
	r, _, err := openFrame(b, KindStatus)
	if err != nil {
		return fmt.Errorf("status frame: %w", err)
	}
	s.ReceiverStore, s.ReceiverRun, s.SenderStore = r.id(), r.id(), r.id()
	s.Session = r.session()
	s.State = State(r.max8(byte(Unknown)))
	s.Opened = r.bool()
	s.Channel = r.optionalName(s.Channel)
	s.Reason = r.text()
	s.Received = r.uint()
	s.Channels = resize(s.Channels, r.count(MaxChannels, minStatusChannel))
	for i := range s.Channels {
		c := &s.Channels[i]
		r.statusChannel(c)
		if c.Proof = (ID{}); s.Opened {
			c.Proof = r.id()
		}
	}
	if s.State == 0 {
		r.fail()
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("status frame: %w", err)
	}
	return nil
}

// minStatusChannel is the least that a channel takes in a status frame.
const minStatusChannel = 2 + 1 + 1 + 17 + 1 + 7 + 1

func (r *reader) statusChannel(c *StatusChannel) {
	c.Name = r.name(c.Name)
	c.Join = r.uint()
	c.Committed = resize(c.Committed, r.count(MaxPositions, 17))
	for i := range c.Committed {
		c.Committed[i] = r.position()
	}
	c.Received = r.position()
	c.Piece = r.upTo(MaxBatch)
	for _, n := range c.Totals.list() {
		*n = r.uint()
	}
	c.State = State(r.max8(byte(Unknown)))
}

// ParseStatus reads a frame. Errors wrap those of this package.
func ParseStatus(b []byte) (*Status, error) {
	s := new(Status)
	if err := s.Parse(b); err != nil {
		return nil, err
	}
	return s, nil
}
