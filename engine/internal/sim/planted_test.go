package sim

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine/internal/planted"
)

// plantedSeeds bounds how many seeds a planted bug may hide from. The simulation stops at the first that shows it.
const plantedSeeds = "1000"

var violation = regexp.MustCompile(`seed (\d+): ([a-z ]+): `)

// build makes a simulation that has the bugs in it. It goes without the race detector, which would only make it slow.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "planted.test")
	if out, err := exec.Command("go", "test", "-c", "-tags", "planted", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build with planted bugs: %v\n%s", err, out)
	}
	return binary
}

// simulate runs the simulation with a bug. Its own tests of planted bugs are not among what it runs.
func simulate(t *testing.T, binary, bug, seeds string) (string, error) {
	t.Helper()
	c := exec.Command(binary, "-test.run", "^TestSeeds$", "-sim.first", "-test.timeout", "15m", "-sim.seeds", seeds)
	c.Env = append(os.Environ(), planted.Variable+"="+bug)
	out, err := c.CombinedOutput()
	return string(out), err
}

func TestPlantedBugsAreCaught(t *testing.T) {
	if planted.Built || testing.Short() || raced {
		t.Skip("this is the inner binary, a short run, or one with the race detector, which would learn nothing more")
	}
	binary := build(t)
	for _, bug := range planted.Names {
		t.Run(bug, func(t *testing.T) {
			t.Parallel() // most are caught by a first seed, which keeps one core busy
			start := time.Now()
			out, err := simulate(t, binary, bug, plantedSeeds)
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			caught := violation.FindStringSubmatch(out)
			if err == nil || caught == nil {
				t.Fatalf("not caught in %s seeds:\n%s", plantedSeeds, out[:min(len(out), 4000)])
			}
			t.Logf("caught by seed %s after %v: %s", caught[1], time.Since(start).Round(time.Millisecond), caught[2])
		})
	}
	t.Run("none", func(t *testing.T) {
		if out, err := simulate(t, binary, "", "40"); err != nil {
			t.Fatalf("without a bug the same binary fails: %v\n%s", err, out[:min(len(out), 4000)])
		}
	})
}
