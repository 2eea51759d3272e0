package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

const (
	hubKills = 3
	// minUnacked is how many messages the hub must still owe an answer for when somebody is killed.
	minUnacked = 1000
	// poll is how often the routers are asked.
	poll = 40 * time.Millisecond
	// growth is how often the followed file grows after its first part, and by how many of the remaining lines.
	growth      = 200 * time.Millisecond
	growthParts = 60
	// stuck is how long nothing may happen before the run is taken as over, so that what is missing is reported.
	stuck = 15 * time.Second
)

// kill is one SIGKILL.
type kill struct {
	node    string
	at      time.Duration // since the start
	unacked int64
	down    time.Duration
}

// point is a kill to come: of node, once the hub has handled this many lines.
type point struct {
	node    string
	handled int64
}

// plan spreads the kills over the run: each somewhere in its own part of it, in an order that the seed decides.
func plan(random *rand.Rand, total int64) []point {
	nodes := []string{edgeName}
	for range hubKills {
		nodes = append(nodes, hubName)
	}
	random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	const first, last = 0.04, 0.75 // what the file holds at the start is enough to leave a backlog at the last point
	part := (last - first) / float64(len(nodes))
	points := make([]point, len(nodes))
	for i, name := range nodes {
		points[i] = point{name, int64((first + part*(float64(i)+0.8*random.Float64())) * float64(total))}
	}
	return points
}

// driver runs the two routers, lets the file grow, kills and restarts, until everything has been handled.
type driver struct {
	cluster *cluster
	source  *source
	screen  *screen
	random  *rand.Rand
	points  []point
	kills   []kill
	begun   time.Time
	last    glimpse
	moved   time.Time  // when last was seen to change
	grown   chan error // gives one value once the file is whole
}

func drive(ctx context.Context, s settings, c *cluster, source *source, screen *screen) ([]kill, error) {
	random := rand.New(rand.NewPCG(s.seed, s.seed))
	d := &driver{cluster: c, source: source, screen: screen, random: random, points: plan(random, source.kept), begun: time.Now(), moved: time.Now(), grown: make(chan error, 1)}
	defer screen.done()
	file, err := os.Create(c.lines)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	whole := source.count() * 8 / 10
	if err := source.write(file, 0, whole); err != nil {
		return nil, err
	}
	if err := errors.Join(c.edge.Start(), c.hub.Start()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() { d.grown <- d.grow(ctx, file, whole) }()
	err = d.watch(ctx)
	cancel()
	return d.kills, errors.Join(err, <-d.grown)
}

// grow appends the rest of the lines little by little.
func (d *driver) grow(ctx context.Context, file *os.File, from int) error {
	rest := d.source.count() - from
	for i := range growthParts {
		select {
		case <-ctx.Done():
			return nil // the run is over, for a reason that is reported elsewhere
		case <-time.After(growth):
		}
		if err := d.source.write(file, from+rest*i/growthParts, from+rest*(i+1)/growthParts); err != nil {
			return fmt.Errorf("let the file grow: %w", err)
		}
	}
	return nil
}
