package sim

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	firstSeed = flag.Uint64("sim.seed", 1, "the first seed")
	seedCount = flag.Int("sim.seeds", 0, "how many seeds; 0: RMDS_SIM_SEEDS, or the default times RMDS_SOAK")
	onlyOne   = flag.Bool("sim.first", false, "stop at the first seed that fails")
	verbose   = flag.String("sim.about", "", "print the events of a failed seed that mention this; \"all\": every event")
)

// seeds is how many seeds `make test` plays.
const seeds = 300

// count is how many seeds to play.
func count(t *testing.T) int {
	if *seedCount > 0 {
		return *seedCount
	}
	number := func(name string, otherwise int) int {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q is no number of times", name, text)
		}
		return n
	}
	return number("RMDS_SIM_SEEDS", seeds*number("RMDS_SOAK", 1))
}

// limit is how long one seed may take in real time: a bubble in which somebody waits for a lock stands still.
const limit = 2 * time.Minute

func play(t *testing.T, seed uint64) {
	var trace io.Writer
	if *verbose != "" {
		trace = &bytes.Buffer{}
	}
	hung := time.AfterFunc(limit, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("seed %d stands still; run it alone: %s", seed, alone(seed)))
	})
	defer hung.Stop()
	var result *Result
	synctest.Test(t, func(*testing.T) { result = Run(seed, trace) })
	if len(result.Violations) == 0 {
		return
	}
	for _, v := range result.Violations {
		t.Errorf("seed %d: %s", seed, v)
	}
	t.Errorf("faults: %v; %d events; run it alone: %s", result.Faults, len(result.History.Events), alone(seed))
	switch *verbose {
	case "":
	case "all":
		t.Log(result.History.About(""))
		t.Log(trace)
	default:
		t.Log(result.History.About(*verbose))
		t.Log(trace)
	}
}

func alone(seed uint64) string {
	return fmt.Sprintf("go test -race ./engine/internal/sim -run TestSeeds -sim.seed=%d -sim.seeds=1 -sim.about=all", seed)
}

// failedBefore are seeds that have shown bugs of the engine. They always run.
var failedBefore = []uint64{8, 16, 17, 22, 28, 33, 69, 87, 192, 224}

func TestSeeds(t *testing.T) {
	list := make([]uint64, count(t))
	for i := range list {
		list[i] = *firstSeed + uint64(i)
	}
	if *seedCount == 0 {
		list = append(list, failedBefore...)
		slices.Sort(list)
		list = slices.Compact(list)
	}
	var stop atomic.Bool
	for _, seed := range list {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			if stop.Load() {
				t.Skip("a seed has failed")
			}
			play(t, seed)
			stop.Store(stop.Load() || *onlyOne && t.Failed())
		})
	}
}
