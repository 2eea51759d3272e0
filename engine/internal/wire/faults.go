package wire

import "errors"

// Fault says what is wrong with bytes that came from the network. None of them is obeyed or acknowledged, all are counted.
type Fault uint8

// The faults. The last two come of ordinary reconnects and losses too; the others do not happen among nodes in order.
const (
	BadSubject  Fault = iota // a subject that is none of this network's
	Truncated                // too short
	Damaged                  // a wrong checksum
	Newer                    // an unknown version or flag
	Illegal                  // intact, but no correct node sends it
	Huge                     // larger, or more, than what this node takes
	Misdirected              // for another node or another store
	Stranger                 // of a node that has not announced itself
	Impostor                 // in the name of this node, or with the store of another
	WrongRole                // of a node that is no writer, or no reader, of the channel
	Stale                    // of a session, or a process, that is gone
	Repeated                 // taken before
	Faults                   // how many there are
)

var faultNames = [Faults]string{"bad_subject", "truncated", "damaged", "newer", "illegal", "huge", "misdirected", "stranger", "impostor", "wrong_role", "stale", "repeated"}

// String names the fault in one word, as counters do.
func (f Fault) String() string {
	if f >= Faults {
		return "unknown"
	}
	return faultNames[f]
}

// Hostile tells whether nodes in order never cause the fault.
func (f Fault) Hostile() bool { return f < Stale }

// FaultOf sorts an error of this package's parsers.
func FaultOf(err error) Fault {
	switch {
	case errors.Is(err, ErrShort):
		return Truncated
	case errors.Is(err, ErrChecksum):
		return Damaged
	case errors.Is(err, ErrVersion):
		return Newer
	}
	return Illegal
}
