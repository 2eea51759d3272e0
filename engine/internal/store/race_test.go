//go:build race

package store

// The race detector makes SQLite, which is Go here, some thirty times slower.
const defaultCuts = 2000
