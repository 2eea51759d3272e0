package sim

import (
	"math"
	"slices"
	"strings"
)

// final holds the end of the history to the rules.
func (c *checker) final() {
	if c.h.Final.Undrained != "" {
		c.bad(Drain, "%s", c.h.Final.Undrained)
	}
	c.effects()
	c.losses()
	c.firsts()
	c.reread()
	c.accounts()
	c.journals()
}

// effects compares what handlers were shown to have done with what is in the state.
func (c *checker) effects() {
	for _, r := range c.h.Readings {
		if !r.Effects {
			continue
		}
		state := c.h.Final.State[r.Node][r.Channel]
		total, again := 0, c.leaver[pair{r.Node, r.Channel}] // some may come twice, and both before either is durable
		for key, n := range state {
			total += n
			again = again || c.emittedAgain(key)
			if n != 1 && !c.emittedAgain(key) && !c.leaver[pair{r.Node, r.Channel}] { // a new join may get it again
				c.bad(Effect, "%s counted %s on %s %d times", r.Node, key, r.Channel, n)
			}
		}
		if sum := c.h.Final.Sums[r.Node][r.Channel]; sum < total || sum > total && !again {
			c.bad(Effect, "the plugin of %s on %s counted to %d, and its state holds %d effects", r.Node, r.Channel, sum, total)
		}
		for f, ends := range c.ends {
			if f.reader != r.Node || f.channel != r.Channel {
				continue
			}
			spare := c.spare(f)
			for key, end := range ends {
				if m := c.messages[key]; end.verdict != Acked || state[key] > 0 || m.expires || c.excused(m) || end.acked < c.wiped[f.reader] || c.leaver[pair{f.reader, f.channel}] ||
					end.redriven != 0 && c.rolledBack(f.reader) { // the letter is back, too
					continue
				}
				if spare--; spare < 0 {
					c.bad(Effect, "%s handled %s on %s, and its effect is missing", r.Node, key, r.Channel)
				}
			}
		}
		if r.EmitTo != "" {
			c.emitted(r, state)
		}
	}
}

// spare is how many of a flow's messages may be missing at its reader, because their other end is on record: they were purged, or
// dropped by policy; or pruned, and the reader's disk was put back.
func (c *checker) spare(f flow) (n int) {
	_, wiped := c.wiped[f.reader]
	if _, purged := c.purged[f.sender]; wiped && purged {
		return math.MaxInt // what the deleted database had on record is not known
	}
	for _, a := range c.h.Final.Accounts {
		if a.Reader != f.reader || a.Channel != f.channel || a.Sender != f.sender {
			continue
		}
		n += int(a.Said.Other)
		if c.rolledBack(f.reader) {
			n += int(a.Said.Pruned)
		}
	}
	return n
}

// emittedAgain tells whether a message may be in its sender's log twice: emitted before its disk was put back, and after.
func (c *checker) emittedAgain(key string) bool {
	m := c.messages[key]
	return m != nil && c.rolledBack(m.sender.node) && strings.HasPrefix(key, "e/")
}

// emitted makes what was emitted part of the log when its cause's effect is durable, whether or not the handler was told so.
func (c *checker) emitted(r Reading, state map[string]int) {
	for key := range state {
		m := c.messages[emitKey(r.Node, key)]
		if m == nil {
			c.bad(Effect, "%s counted %s on %s without emitting", r.Node, key, r.Channel)
			continue
		}
		if m.accepted < 0 {
			m.accepted = len(c.h.Events)
			c.log = append(c.log, m)
		}
		c.emissions[m.key] = 1
	}
	if c.rolledBack(r.Node) {
		return
	}
	for f, ends := range c.ends {
		if f.sender != r.Node || f.channel != r.EmitTo {
			continue
		}
		for key := range ends {
			if m := c.messages[key]; m != nil && strings.HasPrefix(key, "e/") && c.emissions[key] == 0 {
				c.bad(Effect, "%s was delivered to %s, but the effect it comes from is not in the state of %s", key, f.reader, r.Node)
			}
		}
	}
}

// excused tells whether a message went with a disk that was put back.
func (c *checker) excused(m *message) bool {
	b, ok := c.back[m.sender.node]
	return ok && (m.accepted > b[0] || m.accepted < 0) && m.invoked < b[1]
}

// losses finds accepted messages that did not end at a reader they were for: one that was on record when the send began, or that
// got an earlier message of the same log.
func (c *checker) losses() {
	spare, letters := map[flow]int{}, map[flow]int{}
	for _, a := range c.h.Final.Accounts {
		f := flow{a.Reader, a.Channel, a.Sender}
		if _, ok := spare[f]; !ok {
			spare[f] = c.spare(f)
			letters[f] -= c.seenDead(f)
		}
		letters[f] += int(a.Said.Dead)
	}
	for _, m := range c.log {
		if m.expires || c.excused(m) {
			continue
		}
		for _, reader := range c.readersOf(m.sender.channel) {
			f := flow{reader, m.sender.channel, m.sender.node}
			at := slices.Index(m.readers, reader)
			onRecord := at >= 0
			if onRecord && at < len(m.joins) && c.left[membership{pair{reader, f.channel}, m.joins[at]}] {
				continue // what waits for a join that ends counts as removed
			}
			from, some := c.begin(f)
			if !onRecord && (!some || from >= m.invoked || c.rolledBack(m.sender.node)) {
				continue
			}
			if c.ended(f, m.key) {
				if c.seen(c.ends[f][m.key]) {
					continue
				}
				if letters[f]--; letters[f] >= 0 {
					continue
				}
			}
			if spare[f]--; spare[f] < 0 {
				c.bad(Loss, "%s on %s was accepted (#%d) and did not end at %s (on record when sent: %v)", m.key, m.sender.channel, m.accepted, reader, onRecord)
			}
		}
	}
}

// begin tells when the first message that a flow handed over was accepted.
func (c *checker) begin(f flow) (accepted int, ok bool) {
	i, ok := c.first[f]
	if !ok {
		return 0, false
	}
	m := c.messages[c.h.Events[i].Key]
	return m.accepted, m.accepted >= 0
}

// firsts finds channels whose oldest message nobody got.
func (c *checker) firsts() {
	seen := map[pair]bool{}
	for _, m := range c.log {
		if m.expires || seen[m.sender] || c.rolledBack(m.sender.node) || m.invoked < c.purged[m.sender.node] {
			continue
		}
		seen[m.sender] = true
		readers := c.readersOf(m.sender.channel)
		ended := func(r string) bool {
			return c.ended(flow{r, m.sender.channel, m.sender.node}, m.key)
		}
		readers = slices.DeleteFunc(readers, func(r string) bool { return r == m.sender.node && !c.readsOwn(m.sender) })
		gone := func(r string) bool { return c.leaver[pair{r, m.sender.channel}] } // it may have waited for one that left
		if len(readers) > 0 && !slices.ContainsFunc(readers, ended) && !slices.ContainsFunc(readers, gone) && !gone(m.sender.node) {
			c.bad(FirstLost, "%s, the first message of %s on %s, ended at none of %v", m.key, m.sender.node, m.sender.channel, readers)
		}
	}
}

// readsOwn tells whether the writer of a channel has ever been on record as its own reader.
func (c *checker) readsOwn(p pair) bool {
	return slices.ContainsFunc(c.h.Final.Accounts, func(a Account) bool {
		return a.Sender == p.node && a.Reader == p.node && a.Channel == p.channel
	})
}

// reread finds what a reader handled after the copy that its disk was put back to was made, and did not get again.
func (c *checker) reread() {
	for f, ends := range c.ends {
		b, ok := c.back[f.reader]
		if _, wiped := c.wiped[f.reader]; !ok || wiped || c.rolledBack(f.sender) || c.leaver[pair{f.reader, f.channel}] {
			continue
		}
		spare := c.spare(f)
		for key, end := range ends {
			if end.redriven != 0 || end.acked <= b[0] || end.handed >= b[1] || c.messages[key].expires {
				continue
			}
			if spare--; spare < 0 {
				c.bad(Loss, "%s on %s was handled by %s after its backup was made (#%d) and not again after that was restored (#%d)", key, f.channel, f.reader, b[0], b[1])
			}
		}
	}
}

// accounts checks the identity, and that both ends and the history say the same.
func (c *checker) accounts() {
	for _, a := range c.h.Final.Accounts {
		if _, wiped := c.wiped[a.Reader]; a.Ended && wiped && a.Removed == 0 {
			continue // its place went to the reader's next database
		}
		if a.Accepted != a.Said.sum()+a.Removed+a.Pending {
			c.bad(Accounting, "no balance: %+v", a)
		}
		if a.Ended && c.left[membership{pair{a.Reader, a.Channel}, a.Join}] {
			continue
		}
		if a.Ended {
			c.bad(Accounting, "%s counts %s as having left %s", a.Sender, a.Reader, a.Channel)
			continue
		}
		if c.rolledBack(a.Sender) {
			continue
		}
		if a.Pending > 0 || a.Removed > 0 {
			c.bad(Accounting, "not everything ended at the reader: %+v", a)
		}
		if a.Said != a.Has {
			c.bad(Accounting, "the two ends differ: %+v", a)
		}
		if !c.rolledBack(a.Reader) && !c.leaver[pair{a.Reader, a.Channel}] {
			c.counted(a)
		}
	}
}

// counted compares an account with what the history saw. Messages that expire may have been handled before a crash and have expired
// after it; and so with what was purged.
func (c *checker) counted(a Account) {
	var handled, dead, loose uint64
	for key, end := range c.ends[flow{a.Reader, a.Channel, a.Sender}] {
		switch {
		case c.messages[key].expires || end.redriven == Unknown:
			loose++
		case end.verdict == Acked:
			handled++
		default:
			dead++
		}
	}
	if h := a.Said.Handled; h+a.Said.Other < handled || h > handled+loose {
		c.bad(Accounting, "the history has %d messages handled, and %d that may have expired: %+v", handled, loose, a)
	}
	if d := a.Said.Dead; d+a.Said.Other < dead || d > dead+loose {
		c.bad(Accounting, "the history has %d dead letters, and %d that may have expired: %+v", dead, loose, a)
	}
}
