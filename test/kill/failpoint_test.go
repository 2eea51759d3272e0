package kill

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// failpoint is a place in the engine at which the process is killed.
type failpoint struct {
	name string
	// passes says which passes of the place are the last one, each in a life of its own.
	passes []int
	// on names the nodes that pass the place: the edge only sends, the hub does both.
	on []string
	// stopping says that the place is passed when the router is asked to stop.
	stopping bool
}

var (
	both, receiving = []string{"edge", "hub"}, []string{"hub"}

	points = []failpoint{
		{name: "open.after-configure", passes: []int{1}, on: both},
		{name: "open.after-migrate", passes: []int{1}, on: both},
		{name: "open.after-checkpoint", passes: []int{1}, on: both},
		{name: "open.after-load", passes: []int{1}, on: both},
		{name: "open.after-begin", passes: []int{1}, on: both},
		{name: "store.mid-transaction", passes: []int{1, 2, 3, 17}, on: both},
		{name: "store.before-commit", passes: []int{1, 2, 3, 17}, on: both},
		{name: "store.after-commit", passes: []int{1, 2, 3, 17}, on: both},
		{name: "store.after-first-batch", passes: []int{1}, on: both},
		{name: "store.after-answer", passes: []int{1, 5, 23}, on: both},
		{name: "store.before-checkpoint", passes: []int{1}, on: both, stopping: true},
		{name: "store.after-checkpoint", passes: []int{1}, on: both, stopping: true},
		{name: "close.after-mark", passes: []int{1}, on: both, stopping: true},
		{name: "outbox.before-publish", passes: []int{1, 2, 19}, on: both},
		{name: "outbox.after-publish", passes: []int{1, 2, 19}, on: both},
		{name: "outbox.before-record", passes: []int{1, 2}, on: both},
		{name: "inbox.after-attempt", passes: []int{1, 2}, on: receiving},
		{name: "inbox.before-handover", passes: []int{1, 2, 30}, on: receiving},
		{name: "inbox.after-handover", passes: []int{1, 2, 30}, on: receiving},
		{name: "inbox.before-ack", passes: []int{1, 2, 30}, on: receiving},
		{name: "inbox.after-ack", passes: []int{1, 2, 30}, on: receiving},
	}
)

// TestFailpoints kills a router at every named place, on either side, in a database that the first of these lives have only begun to
// make, and then requires all that TestKills requires.
func TestFailpoints(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for a minute: not with -short")
	}
	t.Parallel()
	seed := number(t, "RMDS_SEED", rand.Uint64()>>32)
	for _, side := range both {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			t.Logf("RMDS_SEED=%d", seed)
			c := newCluster(t, failpoints)
			if err := c.nodes[other(side)].Start(); err != nil {
				t.Fatal(err)
			}
			c.begin(seed)
			done, err := c.throughPoints(side)
			if err := c.end(err); err != nil {
				t.Error(err)
			}
			t.Logf("killed the %s at %d points", side, done)
		})
	}
}

func other(side string) string {
	if side == "edge" {
		return "hub"
	}
	return "edge"
}

// throughPoints runs a node once for each of its failpoints until it dies there, and then leaves it running.
func (c *cluster) throughPoints(side string) (done int, err error) {
	for _, p := range points {
		if !slices.Contains(p.on, side) {
			continue
		}
		for _, pass := range p.passes {
			if err := c.killAt(side, p, pass); err != nil {
				return done, err
			}
			done++
		}
	}
	c.nodes[side].Env = c.env[side]
	return done, c.nodes[side].Start()
}

// killAt runs a node that is down until it dies at the failpoint.
func (c *cluster) killAt(side string, p failpoint, pass int) error {
	n := c.nodes[side]
	n.Env = append(slices.Clip(c.env[side]), fmt.Sprintf("RMDS_FAILPOINT=%s:%d", p.name, pass))
	if err := n.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	if p.stopping {
		if err := n.Await(ctx); err != nil {
			return err
		}
		if err := n.Interrupt(); err != nil {
			return err
		}
	}
	code, err := n.Exited(ctx)
	if err != nil {
		return fmt.Errorf("the %s never passed %s for the %d. time: %w\n%s", side, p.name, pass, err, n.LogEnd())
	}
	if code != -1 {
		return fmt.Errorf("the %s ended with code %d, not at %s\n%s", side, code, p.name, n.LogEnd())
	}
	return nil
}

// TestFailpointsFindABug runs through a few places with a bug planted in the router: what a handler does commits apart from the
// position. A kill between the two must be noticed.
func TestFailpointsFindABug(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a router of its own: not with -short")
	}
	t.Parallel()
	c := newCluster(t, planted, "RMDS_PLANTED=effect-before-position")
	for _, name := range both {
		if err := c.nodes[name].Start(); err != nil {
			t.Fatal(err)
		}
	}
	c.begin(1)
	var err error
	for pass := 3; pass < 30 && err == nil; pass += 4 {
		if err = c.nodes["hub"].Kill(); err == nil {
			err = c.killAt("hub", failpoint{name: "store.after-commit"}, pass)
		}
	}
	c.nodes["hub"].Env = c.env["hub"]
	if err := c.nodes["hub"].Start(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.end(nil); err == nil || !strings.Contains(err.Error(), "effects twice") {
		t.Errorf("a message that had its effects twice was not noticed: %v", err)
	} else {
		t.Logf("found: %v", err)
	}
}

// TestEveryFailpointIsInTheTable keeps the table true to the code.
func TestEveryFailpointIsInTheTable(t *testing.T) {
	pass := regexp.MustCompile(`failpoint\.Pass\("([^"]+)"\)`)
	found := map[string]bool{}
	err := filepath.WalkDir("../../engine", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range pass.FindAllSubmatch(source, -1) {
			found[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(renamePoints)
	for _, p := range points {
		names = append(names, p.name)
	}
	for _, name := range names {
		if !found[name] {
			t.Errorf("nothing passes %s", name)
		}
		delete(found, name)
	}
	for name := range found {
		t.Errorf("%s is not in the table", name)
	}
}
