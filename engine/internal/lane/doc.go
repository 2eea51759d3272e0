// Package lane holds the two state machines of ordered delivery: Sender, one attempt after another at streaming a log to one
// reader, and Receiver, the other end of it. They are pure: time comes in as an argument, frames are described by numbers
// only, and whoever owns a machine does the I/O. A machine is not safe for concurrent use.
//
// A session goes open → answer → frames. Frames are numbered from 1 within it, across channels, so that a lost one shows
// whatever channel it belonged to. The receiver answers with totals: the last number taken in order, and what it has
// committed. Taken is only a place to resume from; committed is the acknowledgement.
package lane

import "time"

// ID is a run id.
type ID = [16]byte

// Position names one sequence of a sender's log. The zero Position lies before every message.
type Position struct {
	Run ID
	Seq uint64
}

// Now is a point of monotonic time, as the distance from some fixed start.
type Now = time.Duration
