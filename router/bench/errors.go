package bench

import "errors"

var (
	// ErrPlan means a plan or case asks for nothing that can be measured.
	ErrPlan = errors.New("nothing to measure")
	// ErrDelivery means a message was lost, repeated, changed or handled out of order: the figures would be worthless.
	ErrDelivery = errors.New("delivery was not in order and complete")
	// ErrStalled means nothing moved for too long.
	ErrStalled = errors.New("no progress")
)
