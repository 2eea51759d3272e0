package outbox

import "github.com/getevo/rmds-router/engine/internal/lane"

// The states a sending lane can be in, several at a time; see States.
const (
	stateAway       uint32 = 1 << iota // its reader cannot be reached
	stateOpening                       // an open was sent, or is due
	stateIdle                          // the reader has everything
	stateStreaming                     // frames are in flight
	stateCatchingUp                    // what was sent last came from before this process, so out of the database
	stateAnew                          // the session is not the lane's first
)

var stateNames = []struct {
	bit  uint32
	name string
}{
	{stateAway, "reader away"}, {stateOpening, "opening"}, {stateIdle, "idle"}, {stateStreaming, "streaming"}, {stateCatchingUp, "catching up from the database"},
	{stateAnew, "session replaced"},
}

// note publishes where the lane stands; its goroutine calls it before it rests.
func (s *stream) note() {
	var state uint32
	inFlight, _ := s.machine.InFlight()
	switch phase := s.machine.Phase(); {
	case phase == lane.Closed:
		state = stateAway
	case phase == lane.Opening:
		state = stateOpening
	case inFlight == 0:
		state = stateIdle
	default:
		state = stateStreaming
		if s.feed.run != s.box.log.Run() {
			state |= stateCatchingUp
		}
	}
	if s.sessions > 1 {
		state |= stateAnew
	}
	s.state.Store(state)
}

// States names the states that lanes are in, each at most once: what they did last before they rested.
func (b *Outbox) States() (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all uint32
	for _, s := range b.streams {
		all |= s.state.Load()
	}
	for _, n := range stateNames {
		if all&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return names
}
