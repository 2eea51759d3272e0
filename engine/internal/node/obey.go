package node

import (
	"errors"
	"fmt"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// obeyed remembers what came of the newest orders, so that one that is asked again is answered and not obeyed again.
type obeyed struct {
	outcome map[store.Order]string // empty: done; else why it failed
	order   []store.Order          // oldest first
}

func (r *obeyed) add(o store.Order, outcome string) {
	if _, known := r.outcome[o]; known {
		return
	}
	if len(r.order) >= store.AuditSize {
		delete(r.outcome, r.order[0])
		r.order = r.order[1:]
	}
	r.outcome[o] = outcome
	r.order = append(r.order, o)
}

// obeyOrders is the goroutine that obeys other nodes, one order after the other.
func (n *Node) obeyOrders() {
	known := n.remembered()
	for {
		select {
		case o := <-n.orders.queue:
			n.take(o, known)
		case <-n.ctx.Done():
			return
		}
	}
}

// remembered reads back what the audit record knows of: a node that restarts does not obey the same order twice.
func (n *Node) remembered() *obeyed {
	known := &obeyed{outcome: map[store.Order]string{}}
	entries, err := n.store.Audit()
	if err != nil {
		n.log.Error().Err(err).Msg("the audit record could not be read; an order that is asked again may be obeyed again")
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if e := &entries[i]; e.Over && e.Failed {
			known.add(e.Order, e.Outcome)
		} else if e.Over {
			known.add(e.Order, "")
		}
	}
	return known
}

// take obeys an order, unless it has, and answers.
func (n *Node) take(o order, known *obeyed) {
	if id, _, ok := n.member(o.from); ok && id != o.m.Store {
		n.reject(wire.Impostor, o.from, "", "order: it names another database than the node has")
		return
	}
	if !legal(o.m) {
		n.reject(wire.Illegal, o.from, "", fmt.Sprintf("order: verb %d was not understood", o.m.Verb))
		n.reply(o, errOrder.Error())
		return
	}
	e := n.entry(o.m, o.from)
	outcome, done := known.outcome[e.Order]
	if !done {
		n.log.Warn().Str("by", o.from).Str("order", e.Action).Msg("another node gives an order")
		e.Outcome, e.Over = "obeyed here", true
		err := n.obey(o.m, e)
		if errors.Is(err, ErrClosed) || errors.Is(err, store.ErrClosed) {
			return // the next process obeys when it is asked again
		}
		if err != nil {
			outcome = err.Error()
			e.Outcome, e.Failed = clip(outcome), true
			n.log.Error().Err(err).Str("by", o.from).Str("order", e.Action).Msg("an order could not be obeyed")
			_ = n.commit(&store.Tx{Audit: []store.AuditEntry{e}}) // what kept the order from being obeyed may well keep this too
		}
		known.add(e.Order, outcome)
	}
	n.reply(o, outcome)
}

// reply answers an order. If the answer is lost the order comes again.
func (n *Node) reply(o order, failure string) {
	m := wire.Management{Response: true, Verb: o.m.Verb, Store: o.m.Store, Run: o.m.Run, ID: o.m.ID, Args: []string{answerDone}}
	if failure != "" {
		m.Args = []string{answerFailed, failure}
	}
	_ = n.transmit(n.opt.Subjects.ManagementFrom(o.from, n.id), m.Append(nil)) // lost if there is no connection
}
