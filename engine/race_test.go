//go:build race

package engine_test

// The race detector takes memory of its own, and time.
const (
	raceEnabled = true
	raceFactor  = 1
)
