package sim

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// world is one simulation. One goroutine, the driver, runs it.
type world struct {
	seed    uint64
	plan    *plan
	draw    *rand.Rand
	net     *memconn.Network
	history *History
	log     zerolog.Logger
	nodes   []*node
	stores  map[string]string // node ids by store id
	current map[string]string // a node's newest store id
	away    map[string]int    // by how many faults a node is cut off
	dark    int               // by how many faults the network is down
	heals   []heal
	tally   map[string]int
	met     map[met]int
	hit     *node  // by the present fault; nil: the network
	victim  *node  // likely to be hit by the next one; nil: any
	next    string // the likely next one; "": any
}

// heal ends a fault.
type heal struct {
	at time.Time
	do func()
}

// Result is what a simulation came to.
type Result struct {
	Seed       uint64
	History    *History
	Violations []Violation
	Faults     map[string]int // how often which came
	Met        map[met]int    // how often which came in which state
	Network    memconn.Counts
}

// Run plays a seed to its end. It must be called in a synctest bubble of its own. What the nodes log goes to trace, unless that is nil.
func Run(seed uint64, trace io.Writer) *Result {
	draw := keyed(seed, "plan")
	w := newWorld(seed, newPlan(draw), draw, trace)
	w.rage()
	return w.finish()
}

func newWorld(seed uint64, p *plan, draw *rand.Rand, trace io.Writer) *world {
	w := &world{seed: seed, plan: p, draw: draw, net: memconn.NewNetwork(seed), history: NewHistory(), stores: map[string]string{}, current: map[string]string{},
		away: map[string]int{}, tally: map[string]int{}, met: map[met]int{}, log: zerolog.Nop()}
	if trace != nil {
		w.log = zerolog.New(trace)
	}
	w.history.Readings = p.readings()
	w.net.SetMaxPayload(p.payload)
	w.calm()
	attempts := p.nodes[0].config.MaxRetryAttempts
	for _, n := range p.nodes {
		n.config.MaxRetryAttempts = attempts
		w.nodes = append(w.nodes, &node{w: w, plan: n, joins: map[string]uint64{}, disk: crashvfs.New(draw.Uint64())})
	}
	w.history.Attempts = attempts
	return w
}

// finish heals everything, waits until all is quiet, and checks what was seen.
func (w *world) finish() *Result {
	w.recover()
	w.end()
	return &Result{Seed: w.seed, History: w.history, Violations: Check(w.history), Faults: w.tally, Met: w.met, Network: w.net.Counts()}
}

// calm is the network without a fault, which may still lose a little.
func (w *world) calm() {
	p := w.plan.lossy
	w.net.SetFaults(memconn.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, Drop: p, Duplicate: p, Reorder: p, ReorderBy: 50 * time.Millisecond})
}

// rage is the time of faults.
func (w *world) rage() {
	for i := range w.plan.faults {
		// What a fault draws beyond what it did last time must not change the faults after it.
		w.draw = keyed(w.seed, "fault", strconv.Itoa(i))
		for _, n := range w.nodes {
			if n.plan.startAt == i && n.runs == 0 {
				n.start("first")
			}
		}
		w.tidy()
		w.grant(6)
		w.sleep(w.gap())
		w.jump(i)
		w.steer()
		w.fault()
		w.grant(4)
		if chance(w.draw, 0.3) {
			w.audit()
		}
	}
}

// gap is the time between two faults: mostly short, so that they overlap.
func (w *world) gap() time.Duration {
	switch roll := w.draw.IntN(20); {
	case roll < 8:
		return time.Duration(w.draw.IntN(2000)) * time.Millisecond
	case roll < 16:
		return time.Duration(w.draw.IntN(20)) * time.Second
	case roll < 19:
		return time.Duration(30+w.draw.IntN(120)) * time.Second
	default:
		return time.Duration(5+w.draw.IntN(10)) * time.Minute
	}
}

// grant asks the writers of all nodes that are up for some messages.
func (w *world) grant(most int) {
	if w.plan.steady {
		return
	}
	for _, n := range w.nodes {
		count := w.draw.IntN(most + 1)
		if n.run == nil || count == 0 || len(n.plan.sends()) == 0 {
			continue
		}
		select {
		case n.run.tokens <- count:
		default: // a writer that is stuck behind a fault has enough
		}
	}
}

// sleep lets time pass, and ends the faults whose time has come.
func (w *world) sleep(d time.Duration) {
	until := time.Now().Add(d)
	for {
		w.sort()
		if len(w.heals) == 0 || w.heals[0].at.After(until) {
			break
		}
		next := w.heals[0]
		w.heals = w.heals[1:]
		time.Sleep(time.Until(next.at))
		next.do()
	}
	time.Sleep(time.Until(until))
}

func (w *world) sort() {
	slices.SortStableFunc(w.heals, func(a, b heal) int { return a.at.Compare(b.at) })
}

func (w *world) later(d time.Duration, do func()) {
	w.heals = append(w.heals, heal{time.Now().Add(d), do})
}

// patience is how long, in the simulation's time, a call may take that has to end, and everything until all is quiet.
const patience = 30 * time.Minute

// within waits for a call that must not hang. A call that does leaves nothing to go on with.
func (w *world) within(n *node, what string, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		panic(fmt.Sprintf("simulation seed %d: %s of %s has not returned within %v", w.seed, what, n.plan.id, patience))
	}
}

// recover ends every fault, brings every node up, and waits until all is quiet.
func (w *world) recover() {
	w.sort()
	for _, h := range w.heals {
		h.do()
	}
	w.heals = nil
	clear(w.away)
	w.net.Up()
	w.calm()
	for _, n := range w.nodes {
		n.disk.SetFull(false)
		if n.run == nil {
			n.start("healed")
		}
		w.net.Reconnect(n.plan.id)
	}
	w.widen()
	w.grant(4)
	deadline := time.Now().Add(patience)
	// A sender learns only from its reader that the reader's disk was put back: quiet has to last until they must have met.
	for quiet := 0; quiet < 45 && time.Now().Before(deadline); {
		time.Sleep(time.Second)
		w.tidy()
		if w.unquiet() == "" {
			quiet++
		} else {
			quiet = 0
		}
	}
	w.history.Final.Undrained = w.unquiet()
}

// unquiet tells what is still under way; empty: nothing.
func (w *world) unquiet() string {
	var open []string
	for _, n := range w.nodes {
		if n.run == nil {
			return n.plan.id + " is down"
		}
		if len(n.run.tokens) > 0 {
			return n.plan.id + " still sends"
		}
		for _, j := range n.plan.joins {
			if j.writes() {
				open = append(open, w.waiting(n, j)...)
			}
		}
	}
	return strings.Join(open, "; ")
}

// waiting lists readers of a channel that are not on record at its writer, or have something pending.
func (w *world) waiting(n *node, j joinPlan) (open []string) {
	accounts := n.run.c.Accounts()
	for _, reader := range w.nodes {
		k := reader.plan.join(j.channel)
		if k == nil || !k.reads() || reader == n && !k.own {
			continue
		}
		i := slices.IndexFunc(accounts, func(a engine.Account) bool { return a.Channel == j.channel && a.Reader == reader.plan.id && !a.Ended })
		switch {
		case i < 0:
			open = append(open, fmt.Sprintf("%s does not have %s as a reader of %s", n.plan.id, reader.plan.id, j.channel))
		case accounts[i].Pending > 0:
			open = append(open, fmt.Sprintf("%d messages of %s wait at %s for %s", accounts[i].Pending, j.channel, n.plan.id, reader.plan.id))
		}
	}
	return open
}

// audit compares what senders count as handled with what their readers have.
func (w *world) audit() {
	for _, n := range w.nodes {
		if n.run == nil {
			continue
		}
		for _, a := range n.run.c.Accounts() {
			reader := w.node(a.Reader)
			if reader == nil || reader.run == nil || a.Ended || a.Join != reader.joins[a.Channel] {
				continue
			}
			if in, ok := w.inbound(reader, n.plan.id, a.Channel, a.Join); ok || a.Handled > 0 {
				w.history.add(Event{Kind: Audited, Node: reader.plan.id, Channel: a.Channel, Sender: n.plan.id, Claim: a.Handled, Count: in.Handled})
			}
		}
	}
}

func (w *world) node(id string) *node {
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.plan.id == id })
	if i < 0 {
		return nil
	}
	return w.nodes[i]
}

// inbound is what a reader has of one sender's channel.
func (w *world) inbound(reader *node, sender, channel string, join uint64) (engine.InboundAccount, bool) {
	for _, in := range reader.run.c.Inbound() {
		if in.Channel == channel && in.Join == join && w.sender(in) == sender {
			return in, true
		}
	}
	return engine.InboundAccount{}, false
}

// end takes down how everything is, and closes all nodes.
func (w *world) end() {
	f := &w.history.Final
	f.State, f.Sums = map[string]map[string]map[string]int{}, map[string]map[string]int{}
	w.audit()
	for _, n := range w.nodes {
		if n.run == nil {
			continue
		}
		for _, a := range n.run.c.Accounts() {
			if !a.Replaced {
				f.Accounts = append(f.Accounts, w.account(n, a))
			}
		}
		f.State[n.plan.id], f.Sums[n.plan.id] = map[string]map[string]int{}, map[string]int{}
		for _, j := range n.plan.joins {
			if !j.effects {
				continue
			}
			counts, err := n.run.state(j.channel)
			if err != nil {
				w.trouble(n, "read the state: %v", err)
			}
			f.State[n.plan.id][j.channel] = counts
			sum, err := n.run.sum(j.channel)
			if err != nil {
				w.trouble(n, "read the sum: %v", err)
			}
			f.Sums[n.plan.id][j.channel] = sum
		}
		w.journals(n)
	}
	slices.SortFunc(f.Accounts, func(a, b Account) int {
		return cmp.Or(cmp.Compare(a.Sender, b.Sender), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Reader, b.Reader))
	})
	for _, n := range w.nodes {
		if n.run != nil {
			n.leave()
		}
		n.disk.Close()
	}
}

func (w *world) account(n *node, a engine.Account) Account {
	out := Account{Sender: n.plan.id, Reader: a.Reader, Channel: a.Channel, Join: a.Join, Accepted: a.Accepted, Removed: a.Removed, Pending: a.Pending, Ended: a.Ended,
		Said: Totals{a.Handled, a.Dead, a.Expired, a.Pruned, a.Purged + a.Overflow + a.Corrupt}}
	if reader := w.node(a.Reader); reader != nil && reader.run != nil {
		in, _ := w.inbound(reader, n.plan.id, a.Channel, a.Join)
		out.Has = Totals{in.Handled, in.Dead, in.Expired, in.Pruned, in.Purged + in.Overflow + in.Corrupt}
	}
	return out
}
