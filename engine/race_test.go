//go:build race

package engine_test

// raceEnabled tells whether the race detector watches, which takes memory of its own.
const raceEnabled = true
