//go:build planted

package planted

import "os"

// Built tells whether this binary has the bugs in it.
const Built = true

var chosen = os.Getenv(Variable)

var (
	// AckBeforeCommit: a reader reports a position before the transaction that records it is durable.
	AckBeforeCommit = chosen == NameAckBeforeCommit
	// AckUnconsumed: a channel without a consumer acknowledges what comes.
	AckUnconsumed = chosen == NameAckUnconsumed
	// EffectApart: what a handler returns commits before the position, not with it.
	EffectApart = chosen == NameEffectApart
	// NormalSync: SQLite runs with synchronous=NORMAL though FULL is asked for.
	NormalSync = chosen == NameNormalSync
	// Overlap: an attempt that takes longer than the acknowledgement timeout is tried again while it runs.
	Overlap = chosen == NameOverlap
	// ForgottenMark: the mark of messages for readers yet to come does not survive a restart.
	ForgottenMark = chosen == NameForgottenMark
	// LeaveByAbsence: a reader that is silent counts as having left.
	LeaveByAbsence = chosen == NameLeaveByAbsence
	// SameRun: the run id does not change, so that a restored log uses its sequences again.
	SameRun = chosen == NameSameRun
	// StaleAck: a sender believes its own record of a reader's position rather than the reader, when that is further.
	StaleAck = chosen == NameStaleAck
	// NodeDedupe: what is known of a sender is kept by its node id, so that the first messages of its next database count as had.
	NodeDedupe = chosen == NameNodeDedupe
	// EarlyFrame: a frame leaves while the transaction of its batch is under way.
	EarlyFrame = chosen == NameEarlyFrame
	// ForgottenSkips: a sender forgets a skip once it has sent it, so that a rewind brings the messages back.
	ForgottenSkips = chosen == NameForgottenSkips
	// StolenBatch: a commit of positions alone takes with it what senders have gathered so far.
	StolenBatch = chosen == NameStolenBatch
	// OverlayPerLane: a plugin's uncommitted state is kept per sender, not per plugin.
	OverlayPerLane = chosen == NameOverlayPerLane
)
