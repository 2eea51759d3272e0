//go:build race

package sim

// The race detector makes SQLite, which is Go here, some thirty times slower.
const (
	defaultSeeds = 30
	raced        = true
)
