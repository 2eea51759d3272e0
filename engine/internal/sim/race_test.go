//go:build race

package sim

// The race detector makes SQLite, which is Go here, some thirty times slower.
const (
	defaultSeeds = 12
	raced        = true
)
