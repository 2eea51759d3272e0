package rmds

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Verdict is what a plugin says about a message.
type Verdict int32

// The verdicts. Dead is a function, because a dead letter should carry its reason.
const (
	Pass  Verdict = 0 // filter: goes on, as modified
	Ack   Verdict = 0 // handler and tick: done
	Drop  Verdict = 1 // filter only: done, goes no further
	Retry Verdict = 2 // again later; effects are discarded

	dead Verdict = 3
	// failed is no verdict: the router counts it as a fault of the plugin.
	failed Verdict = 101
)

// Dead sends the message to the dead letters with a reason; effects are discarded.
func Dead(reason string) Verdict {
	Fail(reason)
	return dead
}

// RetryAfter is Retry with the time to wait, in whole milliseconds.
func RetryAfter(d time.Duration) Verdict {
	hostOpt(optRetryAfter, max(0, d.Milliseconds()))
	return Retry
}

// What the router answers when it does not do something. Match with errors.Is.
var (
	ErrAbsent    = errors.New("absent")
	ErrArgument  = errors.New("illegal argument")
	ErrLimit     = errors.New("limit reached")
	ErrDenied    = errors.New("not granted in the configuration")
	ErrMisplaced = errors.New("not possible here")
)

func check(what string, code int32) error {
	if code >= 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", what, codeError(code))
}

func codeError(code int32) error {
	switch code {
	case absent:
		return ErrAbsent
	case -2:
		return ErrArgument
	case -3:
		return ErrLimit
	case -4:
		return ErrDenied
	case -5:
		return ErrMisplaced
	}
	return fmt.Errorf("error %d", code)
}

const (
	absent = -1

	optRetryAfter = 0
	optTTL        = 1
	optDelay      = 2
	optOffers     = 3

	// minCounter is the smallest counter; below it lie the errors of kv_add.
	minCounter = math.MinInt64 + 16
)
