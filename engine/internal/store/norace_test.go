//go:build !race

package store

const defaultCuts = 5000
