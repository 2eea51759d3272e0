package wire

import "fmt"

// replayed, beside a role, marks a join that began with a replay.
const replayed = 4

// Append appends the frame to dst. It cuts Version to MaxText bytes.
func (a *Announcement) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginFrame(dst, KindAnnouncement)
	dst = appendString(dst, a.Node)
	dst = append(append(dst, a.Store[:]...), a.Run[:]...)
	dst = appendText(dst, a.Version)
	dst = append(dst, a.Batches.Oldest, a.Batches.Newest)
	dst = appendBool(appendBool(dst, a.Ask), a.Goodbye)
	dst = appendUint(appendUint(dst, a.Serial), uint64(a.Uptime))
	dst = append(appendBool(append(dst, a.Claim), a.Fenced), a.Rival[:]...)
	dst = appendUint(dst, uint64(len(a.Channels)))
	for i := range a.Channels {
		c := &a.Channels[i]
		dst = appendUint(appendString(dst, c.Name), c.Join)
		role := byte(c.Role)
		if c.Replay {
			role |= replayed
		}
		dst = appendBool(append(dst, role), c.Ready)
	}
	return endFrame(appendJoins(dst, a.Left), start)
}

// Parse reads a frame, reusing the memory that a holds. On error a is undefined.
func (a *Announcement) Parse(b []byte) error {
	r, _, err := openFrame(b, KindAnnouncement)
	if err != nil {
		return fmt.Errorf("announcement: %w", err)
	}
	a.Node = r.name(a.Node)
	a.Store, a.Run = r.id(), r.id()
	a.Version = r.text()
	if a.Batches = (Versions{r.byte(), r.byte()}); a.Batches.Oldest > a.Batches.Newest {
		r.fail()
	}
	a.Ask, a.Goodbye = r.bool(), r.bool()
	a.Serial, a.Uptime = r.uint(), r.time()
	a.Claim, a.Fenced, a.Rival = r.max8(MaxClaim), r.bool(), r.id()
	a.Channels = resize(a.Channels, r.count(MaxChannels, 5))
	for i := range a.Channels {
		c := &a.Channels[i]
		c.Name, c.Join = r.name(c.Name), r.uint()
		role := r.max8(byte(Both) | replayed)
		c.Role, c.Replay, c.Ready = Role(role&^replayed), role&replayed != 0, r.bool()
		if c.Role == 0 || c.Replay && c.Role&Reader == 0 {
			r.fail()
		}
	}
	a.Left = r.joins(a.Left)
	if err := r.end(); err != nil {
		return fmt.Errorf("announcement: %w", err)
	}
	return nil
}

// ParseAnnouncement reads a frame. Errors wrap those of this package.
func ParseAnnouncement(b []byte) (*Announcement, error) {
	a := new(Announcement)
	if err := a.Parse(b); err != nil {
		return nil, err
	}
	return a, nil
}
