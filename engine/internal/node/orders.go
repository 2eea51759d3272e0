package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

var (
	// ErrNoAnswer means that a node did not answer an order in time. It may have obeyed, or may yet.
	ErrNoAnswer = errors.New("nothing heard within " + Patience.String())
	// ErrRefused means that a node answered that it could not obey an order.
	ErrRefused = errors.New("it says")
)

// How an answer begins.
const (
	answerDone   = "done"
	answerFailed = "failed"
)

const (
	maxOrders   = 256                    // orders that wait to be obeyed; one that finds no room is asked again
	askFirst    = 250 * time.Millisecond // until an order is asked again, doubling
	askMost     = 2 * time.Second
	kickPatient = 5 * time.Second // between two looks at a node that was kicked while it was away and does not answer
)

// orders are those under way: asked of others, and asked of this node.
type orders struct {
	queue chan order

	mu     sync.Mutex
	number uint64
	asked  map[uint64]*question
}

// order is one that another node gives.
type order struct {
	from string
	m    *wire.Management
}

// question is an order that other nodes have not all answered.
type question struct {
	verb    uint8
	open    map[string]bool // who has not
	answers chan answer     // has room for one of each
}

type answer struct {
	node string
	err  error
}

func newOrders() *orders {
	return &orders{queue: make(chan order, maxOrders), asked: map[uint64]*question{}}
}

// name gives an order its number.
func (n *Node) name(m *wire.Management) {
	o := n.orders
	o.mu.Lock()
	defer o.mu.Unlock()
	o.number++
	m.Store, m.Run, m.ID = n.store.ID(), n.store.Run(), o.number
}

// demand sends an order to nodes, again and again, until each has answered or ctx ends. It lists those that have not obeyed.
func (n *Node) demand(ctx context.Context, nodes []string, m *wire.Management) (failures []Failure) {
	if len(nodes) == 0 {
		return nil
	}
	q := &question{verb: m.Verb, open: map[string]bool{}, answers: make(chan answer, len(nodes))}
	for _, node := range nodes {
		q.open[node] = true
	}
	o := n.orders
	o.mu.Lock()
	o.asked[m.ID] = q
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		delete(o.asked, m.ID)
		o.mu.Unlock()
		slices.SortFunc(failures, func(a, b Failure) int { return strings.Compare(a.Node, b.Node) })
	}()
	frame := m.Append(nil)
	pause, timer := askFirst, time.NewTimer(0)
	defer timer.Stop()
	for got := 0; got < len(nodes); {
		select {
		case <-timer.C:
			n.send(q, frame)
			timer.Reset(pause)
			pause = min(2*pause, askMost)
		case a := <-q.answers:
			got++
			if a.err != nil {
				failures = append(failures, Failure{a.node, a.err})
			}
		case <-ctx.Done():
			return append(failures, q.unanswered(o)...)
		}
	}
	return failures
}

// send asks those who have not answered. A frame that cannot be sent now is sent at the next turn.
func (n *Node) send(q *question, frame []byte) {
	for _, f := range q.unanswered(n.orders) {
		if err := n.transmit(n.opt.Subjects.ManagementFrom(f.Node, n.id), frame); err != nil {
			n.limiter.warn(n.log.With().Err(err).Str("node", f.Node).Logger(), "order", "an order could not be sent to a node; it is tried again")
		}
	}
}

func (q *question) unanswered(o *orders) (list []Failure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for node := range q.open {
		list = append(list, Failure{node, ErrNoAnswer})
	}
	return list
}

// managed files a management frame that came in: an answer for whoever asked, an order for the goroutine that obeys.
func (n *Node) managed(from string, m *wire.Management) {
	if m.Response {
		n.answered(from, m)
		return
	}
	select {
	case n.orders.queue <- order{from, m}:
	default: // unanswered, so it will be asked again
		n.count.unheard.Add(1)
	}
}

func (n *Node) answered(from string, m *wire.Management) {
	if m.Store != n.store.ID() || m.Run != n.store.Run() || len(m.Args) == 0 {
		n.reject(wire.Stale, from, "", "answer: to the process before this one")
		return
	}
	a := answer{node: from}
	if m.Args[0] != answerDone {
		a.err = ErrRefused
		if len(m.Args) > 1 {
			a.err = fmt.Errorf("%w: %s", ErrRefused, m.Args[1])
		}
	}
	o := n.orders
	o.mu.Lock()
	defer o.mu.Unlock()
	if q := o.asked[m.ID]; q != nil && q.verb == m.Verb && q.open[from] {
		delete(q.open, from)
		q.answers <- a
	}
}

// kickAgain tells a node that came back that a join of it was ended while it was away, until it answers or is gone again.
func (n *Node) kickAgain(a store.AddReader) {
	if !n.under(a) {
		return
	}
	n.done.Go(func() {
		defer n.over(a)
		m := &wire.Management{Verb: VerbKick, Args: []string{a.Node}, Channels: []wire.OpenChannel{{Name: a.Channel, Join: a.Join}}}
		if last := n.out.Newest(a.Store, a.Channel); last > a.Join { // it does not know of that one: its database is an older copy
			m.Channels = append(m.Channels, wire.OpenChannel{Name: a.Channel, Join: last})
		}
		n.name(m)
		for n.ctx.Err() == nil && slices.Contains(n.online(), a.Node) {
			ctx, cancel := context.WithTimeout(n.ctx, kickPatient)
			failures := n.demand(ctx, []string{a.Node}, m)
			cancel()
			if len(failures) == 0 || errors.Is(failures[0].Err, ErrRefused) {
				return
			}
		}
	})
}
