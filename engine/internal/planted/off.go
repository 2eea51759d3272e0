//go:build !planted

package planted

// Built tells whether this binary has the bugs in it.
const Built = false

// The switches; see on.go for what each bug is.
const (
	AckBeforeCommit = false
	AckUnconsumed   = false
	EffectApart     = false
	NormalSync      = false
	Overlap         = false
	ForgottenMark   = false
	LeaveByAbsence  = false
	SameRun         = false
	StaleAck        = false
	NodeDedupe      = false
	EarlyFrame      = false
	ForgottenSkips  = false
	StolenBatch     = false
	OverlayPerLane  = false
)
