package sim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Rule names what a violation breaks.
type Rule string

// The rules that Check holds a history to.
const (
	Phantom    Rule = "phantom"     // a handler saw only what a send accepted, unchanged
	Twice      Rule = "twice"       // a message is in the log once, and so is what its handling emits
	Order      Rule = "order"       // one sender's messages come in the order of its log
	Passed     Rule = "passed"      // the next message comes after the verdict on the one before
	Overlap    Rule = "overlap"     // a channel's handler runs once at a time
	Again      Rule = "again"       // what was durably at its end does not come again
	Forgotten  Rule = "forgotten"   // a place never goes back
	EarlyAck   Rule = "early ack"   // a sender never counts as handled what its reader does not have durably
	Loss       Rule = "loss"        // what was accepted for a reader ends there
	Early      Rule = "early frame" // nobody sees a message before it is durable
	Revived    Rule = "revived"     // what was passed over does not come later
	FirstLost  Rule = "first lost"  // what was sent before there were readers waits for the first
	Effect     Rule = "effect"      // effects happen exactly once
	Accounting Rule = "accounting"  // accepted = the ends + pending, and both ends say the same
	Drain      Rule = "drain"       // when all is healed, everything comes to its end
	Failure    Rule = "failure"     // nothing fails without a fault
	Buried     Rule = "buried"      // only a dead letter is redriven, and none that was handled
	Counted    Rule = "counted"     // what is held counts no attempt
	Journaled  Rule = "journal"     // a journal holds what was received, once
)

// Violation is one broken rule.
type Violation struct {
	Rule   Rule
	Detail string
}

func (v Violation) String() string { return string(v.Rule) + ": " + v.Detail }

// most is how many violations of each rule Check lists.
const most = 5

type pair struct{ node, channel string } // of whoever writes or reads it

type flow struct{ reader, channel, sender string }

// place is a flow out of one store: a node whose database was deleted is another sender, in no order with what it was.
type place struct {
	flow
	store wire.ID
}

type message struct {
	key              string
	sender           pair
	invoked          int // index of the first
	accepted         int // index; -1: never
	refused, unknown bool
	expires          bool
	readers          []string
	joins            []uint64
	id               string // the first that was seen
}

// ending is what became of a message at a reader.
type ending struct {
	handed   int // index of the last hand-over
	acked    int // index of the last ack; -1: none
	verdict  Kind
	attempts int  // the last one seen
	cut      int  // runs that ended while there was no verdict
	redriven Kind // Unknown: a handler acked it as a dead letter; Acked: durably
}

// turn is what a channel's handler is doing for one sender.
type turn struct {
	id      string
	key     string
	decided bool
	attempt int
	held    bool
	at      int // when it was handed over, as an index
}

type checker struct {
	h          *History
	found      map[Rule]int
	violations []Violation

	messages  map[string]*message
	log       []*message // in order of acceptance
	back      map[string][2]int
	ends      map[flow]map[string]*ending
	running   map[pair]int
	turns     map[place]*turn
	lastSeq   map[flow]uint64 // by channel, and with channel "" over all
	lastID    map[flow]string
	cross     map[string]bool
	ordered   map[string]bool
	wiped     map[string]int
	resumed   map[flow]uint64
	durable   map[flow]uint64
	first     map[flow]int // when the first message handed over there was accepted
	emissions map[string]int
	joins     map[pair]uint64 // the present ones
	left      map[membership]bool
	leaver    map[pair]bool // has ever left
	purged    map[string]int
	furthest  map[place]mark
}

// mark is the furthest that one run's messages were handed over.
type mark struct {
	run wire.ID
	seq uint64
}

// membership is one join.
type membership struct {
	pair
	join uint64
}

// Check lists what is wrong with a history.
func Check(h *History) []Violation {
	c := &checker{h: h, found: map[Rule]int{}, messages: map[string]*message{}, back: map[string][2]int{}, ends: map[flow]map[string]*ending{},
		running: map[pair]int{}, turns: map[place]*turn{}, lastSeq: map[flow]uint64{}, lastID: map[flow]string{}, cross: map[string]bool{}, ordered: map[string]bool{}, wiped: map[string]int{},
		resumed: map[flow]uint64{}, durable: map[flow]uint64{}, first: map[flow]int{}, emissions: map[string]int{},
		joins: map[pair]uint64{}, left: map[membership]bool{}, leaver: map[pair]bool{}, purged: map[string]int{}, furthest: map[place]mark{}}
	for i := range h.Events {
		c.event(i, &h.Events[i])
	}
	c.final()
	return c.violations
}

func (c *checker) bad(r Rule, format string, args ...any) {
	if c.found[r]++; c.found[r] <= most {
		c.violations = append(c.violations, Violation{r, fmt.Sprintf(format, args...)})
	}
}

// rolledBack tells whether the node's disk was ever put back.
func (c *checker) rolledBack(node string) bool { _, ok := c.back[node]; return ok }

func (c *checker) event(i int, e *Event) {
	switch e.Kind {
	case Started:
		c.started(e)
	case Stopped:
		for p := range c.running {
			if p.node == e.Node {
				delete(c.running, p)
			}
		}
		c.cutOff(e)
	case RolledBack:
		c.back[e.Node] = [2]int{e.Since, i}
		if e.Wiped {
			c.wiped[e.Node] = i
		}
		for f := range c.durable {
			if f.reader == e.Node || e.Wiped && f.sender == e.Node {
				delete(c.durable, f)
			}
		}
	case Trouble:
		c.bad(Failure, "%s: %s", e.Node, e.Note)
	case Invoked, Accepted, Refused, Unknown:
		c.sent(i, e)
	case Handed:
		c.handed(i, e)
	case Returned:
		if p := (pair{e.Node, e.Channel}); c.running[p] > 0 {
			c.running[p]--
		}
	case Acked, Retried, Rejected, Withdrawn, Held, Redriven:
		c.judged(i, e)
	case Joined:
		c.joined(e)
	case Left:
		c.left[membership{pair{e.Node, e.Channel}, e.Count}] = true
		c.leaver[pair{e.Node, e.Channel}] = true
		c.cross[e.Node], c.ordered[e.Node] = false, false // until it takes up everything together again; and what waits there for others
	case Purged:
		c.purged[e.Node] = i
	case Resumed:
		c.resume(e)
	case Audited:
		c.audited(e)
	}
}

// joined begins a channel anew if the join is another one than before.
func (c *checker) joined(e *Event) {
	p := pair{e.Node, e.Channel}
	before, known := c.joins[p]
	c.joins[p] = e.Count
	if !known || before == e.Count {
		return
	}
	c.leaver[p], c.cross[e.Node] = true, false // what others keep for the new join may be older than what came of other channels
	delete(c.running, p)                       // the handler of the old join may still run
	of := func(f flow) bool { return f.reader == e.Node && (f.channel == e.Channel || f.channel == "") }
	for _, m := range []map[flow]uint64{c.resumed, c.durable, c.lastSeq} {
		maps.DeleteFunc(m, func(f flow, _ uint64) bool { return of(f) })
	}
	maps.DeleteFunc(c.lastID, func(f flow, _ string) bool { return of(f) })
	maps.DeleteFunc(c.first, func(f flow, _ int) bool { return of(f) })
	maps.DeleteFunc(c.furthest, func(q place, _ mark) bool { return of(q.flow) })
	maps.DeleteFunc(c.turns, func(q place, _ *turn) bool { return of(q.flow) })
}

func (c *checker) started(e *Event) {
	c.cross[e.Node], c.ordered[e.Node] = e.Cross, e.Ordered
	c.reorder(e.Node)
	for f := range c.resumed {
		if f.reader == e.Node {
			delete(c.resumed, f)
		}
	}
}

func (c *checker) sent(i int, e *Event) {
	m := c.messages[e.Key]
	if m == nil {
		m = &message{key: e.Key, sender: pair{e.Node, e.Channel}, invoked: i, accepted: -1}
		c.messages[e.Key] = m
	}
	switch e.Kind {
	case Invoked:
		m.expires, m.readers, m.joins = e.Expires, e.Readers, e.Joins
	case Accepted:
		if m.accepted >= 0 && !c.rolledBack(e.Node) {
			c.bad(Twice, "%s was accepted at #%d and at #%d", e.Key, m.accepted, i)
		}
		m.accepted = i
		c.log = append(c.log, m)
	case Refused:
		m.refused = true
	case Unknown:
		m.unknown = true
	default:
	}
}

func (c *checker) resume(e *Event) {
	f := flow{e.Node, e.Channel, e.Sender}
	c.resumed[f] = e.Seq
	if had, ok := c.durable[f]; ok && e.Count < had {
		c.bad(Forgotten, "%s had durably handled %d messages of %s from %s and resumes with %d", e.Node, had, e.Channel, e.Sender, e.Count)
	}
	c.durable[f] = e.Count
}

func (c *checker) audited(e *Event) {
	if c.rolledBack(e.Node) || c.rolledBack(e.Sender) {
		return
	}
	f := flow{e.Node, e.Channel, e.Sender}
	if e.Claim > e.Count {
		c.bad(EarlyAck, "%s counts %d messages of %s as handled by %s, which has %d (at %v)", e.Sender, e.Claim, e.Channel, e.Node, e.Count, e.At)
	}
	c.durable[f] = max(c.durable[f], e.Count)
}

func (c *checker) handed(i int, e *Event) {
	f := flow{e.Node, e.Channel, e.Sender}
	m := c.messages[e.Key]
	switch {
	case e.Broken || m == nil || m.sender != (pair{e.Sender, e.Channel}):
		c.bad(Phantom, "#%d %s: nobody sent that", i, e)
		return
	case m.refused:
		c.bad(Phantom, "#%d %s: its send was refused", i, e)
	case m.id == "":
		m.id = e.ID
	case m.id != e.ID && !c.emittedAgain(e.Key):
		c.bad(Twice, "%s came as %s and as %s", e.Key, m.id, e.ID)
	}
	if m.accepted < 0 && !m.unknown && e.Node != e.Sender {
		c.bad(Early, "#%d %s: its sender was not told yet that it is durable", i, e)
	}
	if n := c.running[pair{e.Node, e.Channel}]; n >= c.parallel(e.Node, e.Channel) {
		c.bad(Overlap, "#%d %s: its channel's handler was still running", i, e)
	}
	c.running[pair{e.Node, e.Channel}]++
	if e.Redrive {
		c.redriven(i, e, f)
		return
	}
	c.inOrder(i, e, f, m)
	if at, ok := c.resumed[f]; ok && e.Seq <= at && !c.rolledBack(e.Sender) {
		c.bad(Again, "#%d %s: everything up to %d was durable when the run began", i, e, at)
	}
	if _, ok := c.first[f]; !ok {
		c.first[f] = i
	}
	c.revived(i, e, f, m)
	c.take(i, e, f)
}

// parallel is how many of a channel's messages may be in its handler.
func (c *checker) parallel(node, channel string) int {
	for i := range c.h.Readings {
		if r := &c.h.Readings[i]; r.Node == node && r.Channel == channel {
			return max(r.Parallel, 1)
		}
	}
	return 1
}

func (c *checker) take(i int, e *Event, f flow) {
	ends := c.ends[f]
	if ends == nil {
		ends = map[string]*ending{}
		c.ends[f] = ends
	}
	end := ends[e.Key]
	if end == nil {
		end = &ending{acked: -1}
		ends[e.Key] = end
	}
	end.handed, end.verdict, end.attempts = i, 0, e.Attempt
}

func (c *checker) judged(i int, e *Event) {
	f := flow{e.Node, e.Channel, e.Sender}
	end := c.ends[f][e.Key]
	if e.Redrive {
		c.revisited(i, e, end)
		return
	}
	t := c.turns[place{f, runOf(e.ID)[0]}]
	if end == nil || t == nil || t.id != e.ID {
		return
	}
	switch e.Kind {
	case Acked:
		end.acked, end.verdict, t.decided = i, Acked, true
	case Rejected:
		end.verdict, t.decided = Rejected, true
	case Withdrawn:
		end.verdict, t.decided = 0, false
	case Held:
		end.verdict, t.held = 0, true
	default:
		end.verdict = Retried
	}
}

func (c *checker) ended(f flow, key string) bool {
	end := c.ends[f][key]
	return end != nil && (c.seen(end) || end.attempts+end.cut >= c.h.Attempts)
}

// seen tells whether the history itself has a message's end, or all its attempts.
func (c *checker) seen(end *ending) bool {
	return end.verdict == Acked || end.verdict == Rejected || end.attempts >= c.h.Attempts
}

// seenDead is how many dead letters of a flow have an end that is seen.
func (c *checker) seenDead(f flow) (n int) {
	for _, end := range c.ends[f] {
		if end.verdict != Acked && c.seen(end) {
			n++
		}
	}
	return n
}

// cutOff takes notice of the end of a run: an attempt counts from before its hand-over, so the run may have begun one that nobody saw.
func (c *checker) cutOff(e *Event) {
	for f, ends := range c.ends {
		if f.reader != e.Node {
			continue
		}
		for _, end := range ends {
			if end.verdict != Acked && end.verdict != Rejected {
				end.cut++
			}
		}
	}
}

func (c *checker) readersOf(channel string) (nodes []string) {
	for _, r := range c.h.Readings {
		if r.Channel == channel && !slices.Contains(nodes, r.Node) {
			nodes = append(nodes, r.Node)
		}
	}
	return nodes
}
