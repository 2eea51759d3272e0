// Package kill holds the router to its promises while it is killed: the real binary, SIGKILL at random points and at named ones,
// under load.
//
// Variables: RMDS_SEED repeats a run's decisions, RMDS_KILLS sets the number of kills, RMDS_SOAK multiplies its default.
package kill

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const (
	defaultKills = 200
	// clusters run side by side and share the kills.
	clusters = 4
)

// TestKills kills the routers of a few clusters at random points.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for a minute: not with -short")
	}
	t.Parallel()
	seed := number(t, "RMDS_SEED", rand.Uint64()>>32)
	kills := int(number(t, "RMDS_KILLS", defaultKills*number(t, "RMDS_SOAK", 1)))
	t.Logf("RMDS_SEED=%d RMDS_KILLS=%d", seed, kills)
	for i := range clusters {
		share := kills*(i+1)/clusters - kills*i/clusters
		t.Run(fmt.Sprint("cluster-", i+1), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, release)
			for _, name := range []string{"edge", "hub"} {
				if err := c.nodes[name].Start(); err != nil {
					t.Fatal(err)
				}
			}
			c.begin(seed + uint64(i))
			if err := c.end(c.killAll(rand.New(rand.NewPCG(seed+uint64(i), 0)), share)); err != nil {
				t.Error(err)
			}
		})
	}
}

// killAll kills the hub, the edge and both in turn, and starts them again, until there were enough kills. One in four comes
// while the router is still starting.
func (c *cluster) killAll(random *rand.Rand, kills int) error {
	rounds := [][]string{{"hub"}, {"edge"}, {"hub", "edge"}, {"edge", "hub"}}
	begun := time.Now()
	for done, round := 0, 0; done < kills; round++ {
		pause := time.Duration(100+random.IntN(1200)) * time.Millisecond
		if random.IntN(4) == 0 {
			pause = time.Duration(random.IntN(100)) * time.Millisecond
		}
		victims := rounds[round%3]
		if round%6 == 5 {
			victims = rounds[3]
		}
		if err := c.wait(pause); err != nil {
			return err
		}
		for _, name := range victims {
			if err := c.nodes[name].Kill(); err != nil {
				return fmt.Errorf("before kill %d, %s after the start: %w", done+1, time.Since(begun), err)
			}
			done++
		}
		for _, name := range victims {
			if err := c.wait(time.Duration(random.IntN(250)) * time.Millisecond); err != nil {
				return err
			}
			if err := c.nodes[name].Start(); err != nil {
				return err
			}
		}
	}
	c.t.Logf("%d kills in %s", kills, time.Since(begun).Round(time.Millisecond))
	return nil
}
