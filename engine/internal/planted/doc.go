// Package planted holds bugs that can be switched on to prove that the simulation finds them. They exist only in binaries built with
// the tag "planted", and there the environment variable RMDS_PLANTED names the one that is on. In every other binary the switches
// are constants, so that the compiler leaves no trace of what they guard.
package planted

// Variable is the environment variable that names the bug.
const Variable = "RMDS_PLANTED"

// The names of the bugs.
const (
	NameAckBeforeCommit = "ack-before-commit"
	NameAckUnconsumed   = "ack-without-consumer"
	NameEffectApart     = "effect-before-position"
	NameNormalSync      = "normal-instead-of-full"
	NameOverlap         = "overlapping-attempts"
	NameForgottenMark   = "open-mark-not-durable"
	NameLeaveByAbsence  = "leave-by-absence"
	NameSameRun         = "sequence-reused"
	NameStaleAck        = "stale-ack-after-restore"
	NameNodeDedupe      = "dedupe-by-node-id"
	NameEarlyFrame      = "frame-before-durable"
	NameForgottenSkips  = "skip-resurrected"
	NameStolenBatch     = "positions-take-a-batch"
	NameOverlayPerLane  = "overlay-per-lane"
)

// Names lists the bugs.
var Names = []string{NameAckBeforeCommit, NameAckUnconsumed, NameEffectApart, NameNormalSync, NameOverlap, NameForgottenMark,
	NameLeaveByAbsence, NameSameRun, NameStaleAck, NameNodeDedupe, NameEarlyFrame, NameForgottenSkips, NameStolenBatch, NameOverlayPerLane}
