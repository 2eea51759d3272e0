package wire

import "fmt"

// Append appends the frame to dst.
func (o *Open) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginFrame(dst, KindOpen)
	dst = append(dst, o.SenderStore[:]...)
	dst = appendSession(dst, o.Session)
	dst = append(append(dst, o.ReceiverStore[:]...), o.ReceiverRun[:]...)
	dst = appendString(dst, o.Scope)
	dst = appendUint(dst, uint64(o.EngineNow))
	dst = appendUint(dst, uint64(len(o.Channels)))
	for i := range o.Channels {
		c := &o.Channels[i]
		dst = append(appendUint(appendString(dst, c.Name), c.Join), c.Proof[:]...)
	}
	return endFrame(dst, start)
}

// Parse reads a frame, reusing the memory that o holds. On error o is undefined.
func (o *Open) Parse(b []byte) error {
	r, _, err := openFrame(b, KindOpen)
	if err != nil {
		return fmt.Errorf("open frame: %w", err)
	}
	o.SenderStore = r.id()
	o.Session = r.session()
	o.ReceiverStore, o.ReceiverRun = r.id(), r.id()
	o.Scope = r.optionalName(o.Scope)
	o.EngineNow = r.time()
	o.Channels = resize(o.Channels, r.count(MaxChannels, 3+16))
	for i := range o.Channels {
		o.Channels[i] = OpenChannel{Name: r.name(o.Channels[i].Name), Join: r.uint(), Proof: r.id()}
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("open frame: %w", err)
	}
	return nil
}

// ParseOpen reads a frame. Errors wrap those of this package.
func ParseOpen(b []byte) (*Open, error) {
	o := new(Open)
	if err := o.Parse(b); err != nil {
		return nil, err
	}
	return o, nil
}

func appendJoins(dst []byte, list []OpenChannel) []byte {
	dst = appendUint(dst, uint64(len(list)))
	for i := range list {
		dst = appendUint(appendString(dst, list[i].Name), list[i].Join)
	}
	return dst
}

// joins reads a list of channels with their joins into the memory of old.
func (r *reader) joins(old []OpenChannel) []OpenChannel {
	n := r.count(MaxChannels, 3)
	list := resize(old, n)
	for i := range list {
		list[i] = OpenChannel{Name: r.name(list[i].Name), Join: r.uint()}
	}
	return list
}

// resize returns a slice of n elements in the memory of old if it suffices. The elements keep what they held.
func resize[T any](old []T, n int) []T {
	if n <= cap(old) {
		return old[:n]
	}
	return append(old[:cap(old)], make([]T, n-cap(old))...)
}
