package sim

import (
	"fmt"
	"slices"
	"strings"
)

// states lists the protocol states that a fault can meet, as the engine names them, and what the simulation adds. Not among them are those
// that last no simulated time, so that nothing can come while they last: for commits there are the faults "in a transaction".
var states = []string{"reader away", "opening", "idle", "streaming", "catching up from the database", "session replaced", "gap", "queued", "working",
	"waiting to retry", "reassembling", "disk full", "membership unsettled", "disconnected"}

// met is a fault and a state that it met.
type met struct{ fault, state string }

// states is what a node is doing.
func (n *node) states() []string {
	list := n.run.states()
	if n.crowded() {
		list = append(list, "disk full")
	}
	return list
}

// look takes down what every node is doing.
func (w *world) look() map[*node][]string {
	seen := map[*node][]string{}
	for _, n := range w.nodes {
		if n.run != nil {
			seen[n] = n.states()
		}
	}
	return seen
}

// note counts what a fault met at the node that it hit, or at any node if it hit the network.
func (w *world) note(fault string, seen map[*node][]string) {
	at := map[string]bool{}
	for n, list := range seen {
		for _, s := range list {
			if w.hit == nil || w.hit == n {
				at[s] = true
			}
		}
	}
	for s := range at {
		w.met[met{fault, s}]++
	}
}

// impossible tells why a fault cannot meet a state; empty: it can.
func impossible(fault, state string) string {
	switch {
	case state == "disk full" && slices.Contains([]string{"leave", "kick", "purge"}, fault):
		return "what waits for room would hold the simulation up"
	}
	return ""
}

// sure is how often a fault and a state have to be expected to meet, by how often each of them comes, so that it is no bad luck when they do
// not, even if the two shun each other a little.
const sure = 20

// all is how many seeds have to meet every cell, however rare: see steer.
const all = 2000

// table shows how often which fault met which state, and lists the cells that are empty and should not be. Those that are too rare for that
// many seeds are in brackets.
func table(counts map[met]int, seeds int) (text string, empty []string) {
	rows, columns, sum := map[string]int{}, map[string]int{}, 0
	for m, n := range counts {
		rows[m.fault] += n
		columns[m.state] += n
		sum += n
	}
	var b strings.Builder
	for i, s := range states {
		fmt.Fprintf(&b, "\n  %2d: %s", i+1, s)
	}
	fmt.Fprintf(&b, "\n%28s", "")
	for i := range states {
		fmt.Fprintf(&b, "%7d", i+1)
	}
	for _, f := range faults {
		fmt.Fprintf(&b, "\n%28s", f.name)
		for _, s := range states {
			n := counts[met{f.name, s}]
			switch {
			case impossible(f.name, s) != "":
				fmt.Fprintf(&b, "%7s", "-")
			case seeds < all && rows[f.name]*columns[s] < sure*sum:
				fmt.Fprintf(&b, "%7s", fmt.Sprintf("(%d)", n))
			default:
				fmt.Fprintf(&b, "%7d", n)
				if n == 0 {
					empty = append(empty, f.name+" × "+s)
				}
			}
		}
	}
	return b.String(), empty
}
