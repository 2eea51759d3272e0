package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// good is a small history without a fault: w sends three messages on c, r handles them with effects and emits for each on d, which w reads.
func good() *History {
	h := &History{
		Readings: []Reading{{Node: "r", Channel: "c", Effects: true, EmitTo: "d"}, {Node: "w", Channel: "d"}},
		Attempts: 3,
	}
	put := func(events ...Event) { h.Events = append(h.Events, events...) }
	put(Event{Kind: Started, Node: "w", Run: 1, Cross: true, Ordered: true}, Event{Kind: Started, Node: "r", Run: 1, Cross: true, Ordered: true})
	state := map[string]int{}
	for i := range 3 {
		key := fmt.Sprintf("w%d", i+1)
		emit := emitKey("r", key)
		seq := uint64(i + 1)
		put(Event{Kind: Invoked, Node: "w", Channel: "c", Key: key, Readers: []string{"r"}}, Event{Kind: Accepted, Node: "w", Channel: "c", Key: key},
			message1(Handed, "r", "c", "w", key, seq), Event{Kind: Invoked, Node: "r", Channel: "d", Key: emit, Readers: []string{"w"}},
			message1(Acked, "r", "c", "w", key, seq), message1(Returned, "r", "c", "w", key, seq), Event{Kind: Accepted, Node: "r", Channel: "d", Key: emit},
			message1(Handed, "w", "d", "r", emit, seq), message1(Acked, "w", "d", "r", emit, seq), message1(Returned, "w", "d", "r", emit, seq))
		state[key] = 1
	}
	h.Final.State = map[string]map[string]map[string]int{"r": {"c": state}}
	h.Final.Sums = map[string]map[string]int{"r": {"c": 3}}
	three := Totals{Handled: 3}
	h.Final.Accounts = []Account{{Sender: "w", Reader: "r", Channel: "c", Accepted: 3, Said: three, Has: three}, {Sender: "r", Reader: "w", Channel: "d", Accepted: 3, Said: three, Has: three}}
	return h
}

func message1(k Kind, reader, channel, sender, key string, seq uint64) Event {
	return Event{Kind: k, Node: reader, Run: 1, Channel: channel, Sender: sender, Key: key, Seq: seq, Attempt: 1, ID: id(sender, seq)}
}

func id(sender string, seq uint64) string {
	return string(wire.AppendMessageID(nil, wire.ID{sender[0]}, wire.ID{1}, seq))
}

func (h *History) find(k Kind, key string) int {
	for i := range h.Events {
		if h.Events[i].Kind == k && h.Events[i].Key == key {
			return i
		}
	}
	panic("no such event: " + k.String() + " " + key)
}

func (h *History) insert(at int, events ...Event) {
	h.Events = append(h.Events[:at:at], append(events, h.Events[at:]...)...)
}

func (h *History) remove(k Kind, key string) Event {
	i := h.find(k, key)
	e := h.Events[i]
	h.Events = append(h.Events[:i:i], h.Events[i+1:]...)
	return e
}

func TestGoodHistories(t *testing.T) {
	for name, change := range map[string]func(h *History){
		"nothing wrong": func(*History) {},
		"a repeated suffix after a crash, in order": func(h *History) {
			crash(h, 1)
		},
		"a retry": func(h *History) {
			i := h.find(Acked, "w2")
			again := message1(Handed, "r", "c", "w", "w2", 2)
			again.Attempt = 2
			h.insert(i, message1(Retried, "r", "c", "w", "w2", 2), message1(Returned, "r", "c", "w", "w2", 2), again)
		},
		"a message that a refused send left out": func(h *History) {
			h.insert(2, Event{Kind: Invoked, Node: "w", Channel: "c", Key: "w0", Readers: []string{"r"}}, Event{Kind: Refused, Node: "w", Channel: "c", Key: "w0"})
		},
		"a message of unknown outcome that never came": func(h *History) {
			h.insert(2, Event{Kind: Invoked, Node: "w", Channel: "c", Key: "w0", Readers: []string{"r"}}, Event{Kind: Unknown, Node: "w", Channel: "c", Key: "w0"})
		},
		"a message that expired": func(h *History) {
			h.insert(2, Event{Kind: Invoked, Node: "w", Channel: "c", Key: "w0", Readers: []string{"r"}, Expires: true}, Event{Kind: Accepted, Node: "w", Channel: "c", Key: "w0"})
			a := &h.Final.Accounts[0]
			a.Accepted, a.Said.Expired, a.Has.Expired = 4, 1, 1
		},
		"a message purged between its attempts": func(h *History) {
			h.Events[h.find(Acked, "w2")].Kind = Retried
			h.insert(h.find(Retried, "w2")+1, Event{Kind: Purged, Node: "w"})
			delete(h.Final.State["r"]["c"], "w2")
			h.Final.Sums["r"]["c"] = 2
			for _, k := range []Kind{Invoked, Accepted, Handed, Acked, Returned} {
				h.remove(k, "e/r/w2")
			}
			h.Final.Accounts[0].Said, h.Final.Accounts[0].Has = Totals{Handled: 2, Other: 1}, Totals{Handled: 2, Other: 1}
			a := &h.Final.Accounts[1]
			a.Accepted, a.Said, a.Has = 2, Totals{Handled: 2}, Totals{Handled: 2}
		},
		"a dead letter handled after all": func(h *History) { bury(h); redrive(h) },
		"a dead letter handled, and its end not known": func(h *History) {
			bury(h)
			redrive(h)
			h.remove(Redriven, "w2")
		},
		"held, and handled": func(h *History) { hold(h, 1) },
		"a journal":         func(h *History) { keep(h) },
		"a journal with holes": func(h *History) {
			keep(h)
			h.Final.Journals[0].Holes = true
			h.Final.Journals[0].Entries = h.Final.Journals[0].Entries[1:]
		},
		"a loss by a restored sender": func(h *History) {
			h.insert(2, Event{Kind: Invoked, Node: "w", Channel: "c", Key: "w0", Readers: []string{"r"}}, Event{Kind: Accepted, Node: "w", Channel: "c", Key: "w0"},
				Event{Kind: RolledBack, Node: "w", Since: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			change(h)
			if v := Check(h); len(v) > 0 {
				t.Errorf("%v\n%s", v, h.About(""))
			}
		})
	}
}

// crash restarts r after all that happened, with the last two messages not durable; first is where it resumes.
func crash(h *History, resumed uint64) {
	h.Events = append(h.Events, Event{Kind: Stopped, Node: "r", Run: 1}, Event{Kind: Started, Node: "r", Run: 2, Cross: true, Ordered: true},
		Event{Kind: Resumed, Node: "r", Run: 2, Channel: "c", Sender: "w", Seq: resumed, Count: resumed})
	for _, seq := range []uint64{2, 3} {
		key := fmt.Sprintf("w%d", seq)
		h.Events = append(h.Events, message1(Handed, "r", "c", "w", key, seq), message1(Acked, "r", "c", "w", key, seq), message1(Returned, "r", "c", "w", key, seq))
	}
}

func TestBadHistories(t *testing.T) {
	audit := func(claim, count uint64) Event {
		return Event{Kind: Audited, Node: "r", Channel: "c", Sender: "w", Claim: claim, Count: count}
	}
	for name, c := range map[string]struct {
		rule   Rule
		change func(h *History)
	}{
		"a message nobody sent":              {Phantom, func(h *History) { h.remove(Invoked, "w2"); h.remove(Accepted, "w2") }},
		"a message that was refused":         {Phantom, func(h *History) { h.Events[h.find(Accepted, "w2")].Kind = Refused }},
		"a message that was changed":         {Phantom, func(h *History) { h.Events[h.find(Handed, "w2")].Broken = true }},
		"a message on another channel":       {Phantom, func(h *History) { h.Events[h.find(Handed, "w2")].Channel = "d" }},
		"a message before it was sent":       {Phantom, func(h *History) { h.insert(2, h.remove(Handed, "w2")) }},
		"a message stored twice":             {Twice, func(h *History) { crash(h, 1); last(h, Handed).ID = id("w", 9) }},
		"an emit accepted twice":             {Twice, func(h *History) { h.Events = append(h.Events, h.Events[h.find(Accepted, "e/r/w2")]) }},
		"two messages in the wrong order":    {Order, func(h *History) { swap(h, "w2", "w3") }},
		"one sequence for two messages":      {Order, func(h *History) { h.Events[h.find(Handed, "w3")].Seq = 2 }},
		"the next before the verdict":        {Passed, func(h *History) { h.remove(Acked, "w2") }},
		"the next after a verdict withdrawn": {Passed, func(h *History) { h.insert(h.find(Acked, "w2")+1, message1(Withdrawn, "r", "c", "w", "w2", 2)) }},
		"two attempts at a time":             {Overlap, func(h *History) { h.remove(Returned, "w2") }},
		"durable and again":                  {Again, func(h *History) { crash(h, 2) }},
		"a place that went back":             {Forgotten, func(h *History) { h.Events = append(h.Events, audit(0, 2)); crash(h, 1) }},
		"an ack before its commit":           {EarlyAck, func(h *History) { h.Events = append(h.Events, audit(3, 2)) }},
		"a message before it is durable":     {Early, func(h *History) { h.insert(h.find(Returned, "w2")+1, h.remove(Accepted, "w2")) }},
		"a skip that came to life":           {Revived, func(h *History) { revive(h) }},
		"a message lost": {Loss, func(h *History) {
			h.remove(Handed, "w3")
			h.remove(Acked, "w3")
			h.remove(Returned, "w3")
		}},
		"a message lost in a gap, its reader not on record": {Loss, func(h *History) {
			h.Events[h.find(Invoked, "w2")].Readers = nil
			h.remove(Handed, "w2")
			h.remove(Acked, "w2")
			h.remove(Returned, "w2")
		}},
		"the first message lost": {FirstLost, func(h *History) {
			h.Events[h.find(Invoked, "w1")].Readers = nil
			h.remove(Handed, "w1")
			h.remove(Acked, "w1")
			h.remove(Returned, "w1")
		}},
		"handled after the backup, not again after the restore": {Loss, func(h *History) {
			h.Events = append(h.Events, Event{Kind: Stopped, Node: "r"}, Event{Kind: RolledBack, Node: "r", Since: h.find(Returned, "w2")})
		}},
		"more pruned than is on record": {Loss, func(h *History) {
			h.Events = append(h.Events, Event{Kind: Stopped, Node: "r"}, Event{Kind: RolledBack, Node: "r", Since: 2})
			a := &h.Final.Accounts[0]
			a.Said, a.Has = Totals{Handled: 2, Pruned: 1}, Totals{Handled: 2, Pruned: 1}
		}},
		"a redrive of what was handled":     {Buried, func(h *History) { redrive(h) }},
		"a redrive of what was redriven":    {Buried, func(h *History) { bury(h); redrive(h); redrive(h) }},
		"a redrive beside another message":  {Overlap, func(h *History) { bury(h); redrive(h); h.remove(Returned, "w3") }},
		"a redrive whose effect is missing": {Effect, func(h *History) { bury(h); redrive(h); delete(h.Final.State["r"]["c"], "w2") }},
		"a redrive that is not counted":     {Accounting, func(h *History) { bury(h); redrive(h); dead(h) }},
		"a held message that was counted":   {Counted, func(h *History) { hold(h, 2) }},
		"the next before one that is held":  {Passed, func(h *History) { hold(h, 1); unhold(h) }},
		"a journal that lacks a message":    {Journaled, func(h *History) { keep(h); h.Final.Journals[0].Entries = h.Final.Journals[0].Entries[1:] }},
		"a journal that has one twice":      {Journaled, func(h *History) { e := &keep(h).Entries; *e = append(*e, (*e)[2]) }},
		"a journal in the wrong order":      {Journaled, func(h *History) { e := keep(h).Entries; e[0], e[1] = e[1], e[0] }},
		"a journal of what nobody sent":     {Journaled, func(h *History) { keep(h).Entries[0].Key = "x" }},
		"a journal of what was changed":     {Journaled, func(h *History) { keep(h).Entries[0].Broken = true }},
		"an effect twice":                   {Effect, func(h *History) { h.Final.State["r"]["c"]["w2"] = 2 }},
		"an effect missing":                 {Effect, func(h *History) { delete(h.Final.State["r"]["c"], "w2") }},
		"a sum that lost a write":           {Effect, func(h *History) { h.Final.Sums["r"]["c"] = 2 }},
		"an emit without its effect":        {Effect, func(h *History) { delete(h.Final.State["r"]["c"], "w2"); h.remove(Acked, "w2") }},
		"an effect without its emit":        {Effect, func(h *History) { h.Final.State["r"]["c"]["w9"] = 1 }},
		"no balance":                        {Accounting, func(h *History) { h.Final.Accounts[0].Accepted = 4 }},
		"pending at the end":                {Accounting, func(h *History) { h.Final.Accounts[0].Accepted = 4; h.Final.Accounts[0].Pending = 1 }},
		"ends that differ":                  {Accounting, func(h *History) { h.Final.Accounts[0].Has.Handled = 2 }},
		"accounts that nobody saw":          {Accounting, func(h *History) { four(&h.Final.Accounts[0]) }},
		"a reader that left unasked":        {Accounting, func(h *History) { h.Final.Accounts[0].Ended = true }},
		"messages that stay":                {Drain, func(h *History) { h.Final.Undrained = "one waits" }},
		"a failure without its fault":       {Failure, func(h *History) { h.Events = append(h.Events, Event{Kind: Trouble, Node: "w", Note: "start"}) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			c.change(h)
			found := Check(h)
			for _, v := range found {
				if v.Rule == c.rule {
					return
				}
			}
			t.Errorf("want %q, got %v\n%s", c.rule, found, h.About(""))
		})
	}
}

func last(h *History, k Kind) *Event {
	for i := len(h.Events) - 1; ; i-- {
		if h.Events[i].Kind == k {
			return &h.Events[i]
		}
	}
}

// swap makes r handle two messages the other way round.
func swap(h *History, a, b string) {
	for _, k := range []Kind{Handed, Acked, Returned} {
		i, j := h.find(k, a), h.find(k, b)
		h.Events[i], h.Events[j] = h.Events[j], h.Events[i]
	}
	h.insert(2, h.remove(Invoked, b), h.remove(Accepted, b))
}

// revive makes w2 come for the first time after w3, and after a restart that forgets the order.
func revive(h *History) {
	h.Events = append(h.Events, Event{Kind: Stopped, Node: "r", Run: 1}, Event{Kind: Started, Node: "r", Run: 2})
	for _, k := range []Kind{Handed, Acked, Returned} {
		h.Events = append(h.Events, h.remove(k, "w2"))
	}
}

// bury makes w2 a dead letter, whose effect and emit come of a redrive.
func bury(h *History) {
	h.Events[h.find(Acked, "w2")].Kind = Rejected
	i := h.find(Invoked, "e/r/w2")
	for _, k := range []Kind{Accepted, Handed, Acked, Returned} {
		h.Events = append(h.Events, h.remove(k, "e/r/w2"))
	}
	h.Events = append(h.Events, h.Events[i])
	h.Events = append(h.Events[:i:i], h.Events[i+1:]...)
	// What w reads comes in the order in which it is emitted.
	for i := range h.Events {
		if e := &h.Events[i]; e.Sender == "r" && e.Key == "e/r/w2" {
			e.Seq, e.ID = 9, id("r", 9)
		}
	}
	h.Events = append(h.Events[:len(h.Events)-5:len(h.Events)-5], append([]Event{h.Events[len(h.Events)-1]}, h.Events[len(h.Events)-5:len(h.Events)-1]...)...)
}

// redrive handles w2 once more, as a dead letter.
func redrive(h *History) {
	for _, k := range []Kind{Handed, Acked, Returned, Redriven} {
		e := message1(k, "r", "c", "w", "w2", 2)
		e.Attempt, e.Redrive = 2, true
		h.Events = append(h.Events, e)
	}
}

// dead counts w2 as a dead letter still.
func dead(h *History) {
	h.Final.Accounts[0].Said, h.Final.Accounts[0].Has = Totals{Handled: 2, Dead: 1}, Totals{Handled: 2, Dead: 1}
}

// hold makes r hold w2 once, and gives the next attempt a number.
func hold(h *History, next int) {
	again := message1(Handed, "r", "c", "w", "w2", 2)
	again.Attempt = next
	h.insert(h.find(Acked, "w2"), message1(Held, "r", "c", "w", "w2", 2), message1(Returned, "r", "c", "w", "w2", 2), again)
}

// unhold makes w3 come while w2 is held at its last attempt.
func unhold(h *History) {
	for i := range h.Events {
		if e := &h.Events[i]; e.Key == "w2" && e.Kind == Handed {
			e.Attempt = h.Attempts
		}
	}
	i := h.find(Acked, "w2")
	h.Events = append(h.Events[:i-1:i-1], h.Events[i+1:]...)
	for n := len(h.Events) - 1; ; n-- {
		if e := &h.Events[n]; e.Key == "w2" && e.Kind == Returned {
			h.Events = append(h.Events[:n:n], h.Events[n+1:]...)
			return
		}
	}
}

// keep gives r a journal.
func keep(h *History) *Journal {
	h.Final.Journals = []Journal{{Node: "r", Channel: "c"}}
	j := &h.Final.Journals[0]
	for i := range uint64(3) {
		j.Entries = append(j.Entries, Entry{Sender: "w", Key: fmt.Sprintf("w%d", i+1), ID: id("w", i+1), Seq: i + 1})
	}
	return j
}

func four(a *Account) { a.Accepted, a.Said.Handled, a.Has.Handled = 4, 4, 4 }

func TestContent(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 9, 5000} {
		data := content("w17", size)
		if key, whole := keyOf(data); key != "w17" || !whole {
			t.Errorf("size %d: %q, %v", size, key, whole)
		}
		if _, whole := keyOf(append(data, 0)); whole {
			t.Errorf("size %d: a byte more is not seen", size)
		}
		data[len(data)-1] ^= 1
		if _, whole := keyOf(data); whole {
			t.Errorf("size %d: a flipped bit is not seen", size)
		}
	}
	if _, whole := keyOf([]byte(strings.Repeat("x", 300))); whole {
		t.Error("noise is taken for a message")
	}
}
