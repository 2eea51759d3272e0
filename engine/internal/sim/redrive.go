package sim

import (
	"context"
	"errors"

	"github.com/getevo/rmds-router/engine"
)

// redrive gives a node's dead letters to their handlers once more.
func (w *world) redrive() bool {
	n := w.up()
	if n == nil {
		return false
	}
	if last, err := n.run.c.LastDeadLetter(); err != nil || last == 0 {
		return false
	}
	n.run.tasks.Go(n.run.redrive)
	return true
}

// redrive tries each dead letter once. A store that fails is another fault's, and a letter that does not go is tried again some other time.
func (r *run) redrive() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.tasks.Go(func() {
		select {
		case <-r.dead:
			cancel()
		case <-ctx.Done():
		}
	})
	letters, err := r.c.DeadLetters(engine.DeadLetterFilter{})
	if err != nil {
		return
	}
	for _, l := range letters {
		letter, err := r.c.DeadLetter(l.ID)
		if errors.Is(err, engine.ErrNoDeadLetter) {
			continue // another redrive was quicker
		}
		if err != nil || !r.alive() {
			return
		}
		r.again(ctx, letter)
	}
}

// again redrives one dead letter.
func (r *run) again(ctx context.Context, l *engine.DeadLetter) {
	w := r.n.w
	if l.Message == nil {
		w.trouble(r.n, "dead letter %d cannot be read", l.ID)
		return
	}
	key, whole := keyOf(l.Message.Data)
	if !whole {
		w.trouble(r.n, "dead letter %d is not what %s stands for", l.ID, key)
		return
	}
	r.redriving(l.MessageID, 1)
	defer r.redriving(l.MessageID, -1)
	if r.c.Redrive(ctx, l.ID) == nil {
		// Also in a process that is being killed: what is durable is durable.
		w.history.add(Event{Kind: Redriven, Node: r.n.plan.id, Run: r.number, Channel: l.Channel, Sender: l.Sender, Key: key, ID: l.MessageID, Redrive: true})
	}
}

// redriving marks a message whose next hand-over is no lane's: that has passed it.
func (r *run) redriving(id string, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.letters[id] += by
}

// notice marks a message that is handed over if it is redriven.
func (r *run) notice(m *engine.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.letters[m.ID] > 0 {
		r.redriven[m] = true
	}
}

func (r *run) isRedriven(m *engine.Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.redriven[m]
}

// starve takes away for a while what the handlers with effects of a node need: they give no verdict.
func (w *world) starve() bool {
	n := w.up()
	if n == nil {
		return false
	}
	n.lacking.Add(1)
	w.later(w.outage(), func() { n.lacking.Add(-1) })
	return true
}
