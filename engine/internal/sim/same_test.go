package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// variant is one way to play the same messages. None of them may change what comes of them.
type variant struct {
	name     string
	change   func(c *engine.Config)
	batch    int  // messages in a send
	restarts bool // nodes die and come back
	lossy    float64
	payload  int
}

var variants = []variant{
	{name: "one by one", batch: 1},
	{name: "in batches", batch: 16},
	{name: "a window of one", batch: 1, change: func(c *engine.Config) { c.MaxInFlight = 1 }},
	{name: "a window of a few bytes", batch: 4, change: func(c *engine.Config) { c.MaxBytesInFlight = 1 }},
	{name: "compressed", batch: 8, change: func(c *engine.Config) { c.EnableCompression = true }},
	{name: "each channel on its own", batch: 4, change: func(c *engine.Config) { c.Ordering = engine.OrderChannel }},
	{name: "two senders side by side", batch: 4, change: func(c *engine.Config) { c.ParallelSenders = 2 }},
	{name: "in pieces", batch: 16, payload: 8 << 10},
	{name: "over a bad network", batch: 4, lossy: 0.1},
	{name: "with restarts", batch: 4, restarts: true},
	{name: "everything at once", batch: 4, restarts: true, lossy: 0.1, payload: 8 << 10, change: func(c *engine.Config) {
		c.EnableCompression, c.MaxInFlight, c.ParallelSenders = true, 4, 2
	}},
}

const (
	sentByEach = 48
	sameSeeds  = 6
)

// plan has two writers, a worker that handles with effects and emits, and a reader of what it emits.
func (v *variant) plan() *plan {
	p := &plan{payload: 1 << 20, steady: true, lossy: v.lossy}
	if v.payload > 0 {
		p.payload = v.payload
	}
	for id, joins := range map[string][]joinPlan{
		"a": {{channel: work, mode: engine.WriteOnly}}, "b": {{channel: work, mode: engine.WriteOnly}}, "d": {{channel: results, mode: engine.ReadOnly, effects: true}},
		"c": {{channel: work, mode: engine.ReadOnly, effects: true, emitTo: results}, {channel: results, mode: engine.WriteOnly}},
	} {
		n := &nodePlan{id: id, joins: joins, ordered: true, config: engine.Config{NodeID: id, MaxRetryAttempts: 10, ParallelSenders: 1}}
		if v.change != nil {
			v.change(&n.config)
		}
		p.nodes = append(p.nodes, n)
	}
	slices.SortFunc(p.nodes, func(x, y *nodePlan) int { return strings.Compare(x.id, y.id) })
	return p
}

// play sends the same messages in one way and returns what came of them.
func (v *variant) play(seed uint64) (outcome string, violations []Violation) {
	w := newWorld(seed, v.plan(), keyed(seed, "same", v.name), nil)
	for _, n := range w.nodes {
		n.start("first")
	}
	for sent := 0; sent < sentByEach; sent += v.batch {
		for _, n := range w.nodes[:2] {
			w.send(n, sent, min(v.batch, sentByEach-sent))
		}
		w.sleep(200 * time.Millisecond)
		if n := pick(w.draw, w.nodes...); v.restarts && chance(w.draw, 0.5) && n.run != nil {
			n.crash("killed")
			n.swap(pick(w.draw, n.disk.Restart, n.disk.PowerCut)())
			n.start("after a crash")
		}
	}
	r := w.finish()
	return r.History.outcome(), r.Violations
}

// send sends a node's messages from one number on, and waits until they are durable.
func (w *world) send(n *node, from, count int) {
	var batch []engine.Outgoing
	for i := range count {
		key := fmt.Sprintf("%s%d", n.plan.id, from+i+1)
		readers, joins := n.run.readers(work)
		w.history.add(Event{Kind: Invoked, Node: n.plan.id, Run: n.run.number, Channel: work, Key: key, Readers: readers, Joins: joins})
		batch = append(batch, engine.Outgoing{Data: content(key, keyed(w.seed, key).IntN(2000))})
	}
	err := n.run.channel(work).SendBatch(context.Background(), batch)
	for i := range count {
		w.history.add(Event{Kind: outcome(err), Node: n.plan.id, Channel: work, Key: fmt.Sprintf("%s%d", n.plan.id, from+i+1), Note: text(err)})
	}
}

// outcome tells what each reader made of each writer's messages, in which order, and what is in its state in the end. What the worker emits
// because of different writers' messages may mix in any way.
func (h *History) outcome() string {
	order, ends := map[flow][]string{}, map[flow]map[string]Kind{}
	for i := range h.Events {
		e := &h.Events[i]
		if e.Kind != Handed && e.Kind != Acked && e.Kind != Rejected {
			continue
		}
		f := flow{e.Node, e.Channel, e.Sender}
		if cause, emitted := strings.CutPrefix(e.Key, emitKey("c", "")); emitted {
			f.sender = "c for " + cause[:1]
		}
		if ends[f] == nil {
			ends[f] = map[string]Kind{}
		}
		if _, seen := ends[f][e.Key]; !seen {
			order[f] = append(order[f], e.Key)
		}
		ends[f][e.Key] = e.Kind
	}
	var lines []string
	for f, keys := range order {
		line := fmt.Sprintf("%v:", f)
		for _, k := range keys {
			line += fmt.Sprintf(" %s=%s", k, ends[f][k])
		}
		lines = append(lines, line)
	}
	for node, channels := range h.Final.State {
		for channel, counts := range channels {
			lines = append(lines, fmt.Sprintf("state of %s on %s: sum %d, %v", node, channel, h.Final.Sums[node][channel], slices.Sorted(maps.Keys(counts))))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestSameOutcome plays the same messages in many ways: what each reader handles of each sender, in which order, and the state that it
// leaves, must not depend on how messages are batched, windowed, compressed, cut, lost and sent again, or on who is restarted.
func TestSameOutcome(t *testing.T) {
	count := sameSeeds
	if raced {
		count = 1
	}
	for seed := range uint64(count) {
		var want string
		for i := range variants {
			v := &variants[i]
			var got string
			var violations []Violation
			synctest.Test(t, func(*testing.T) { got, violations = v.play(seed) })
			for _, bad := range violations {
				t.Errorf("seed %d, %s: %s", seed, v.name, bad)
			}
			switch {
			case want == "":
				want = got
			case got != want:
				t.Errorf("seed %d: what comes of messages that go %s differs from %s:\n%s\n\nwant\n%s", seed, v.name, variants[0].name, got, want)
			}
		}
		if !strings.Contains(want, "=rejected") || strings.Count(want, "=acked") < 2*sentByEach {
			t.Errorf("seed %d: the messages met too little:\n%s", seed, want)
		}
	}
	t.Logf("%d sets of messages played in %d ways each: the outcomes are the same", count, len(variants))
}
