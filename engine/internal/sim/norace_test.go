//go:build !race

package sim

// What is played unless RMDS_SIM_SEEDS says otherwise.
const (
	defaultSeeds = 200
	raced        = false
)
