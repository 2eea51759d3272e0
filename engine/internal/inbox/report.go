package inbox

import (
	"github.com/getevo/rmds-router/engine/internal/failpoint"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// reporter is the lane's second goroutine: it tells the sender what was committed and what is wrong.
func (l *receiver) reporter() {
	for {
		select {
		case <-l.say:
			l.report()
		case <-l.gone:
			return
		case <-l.box.ctx.Done():
			return
		}
	}
}

// report sends a status frame, after one for each channel that is newly refused.
func (l *receiver) report() {
	l.mu.Lock()
	st := l.status()
	node, refusals := l.node, l.refusals(st)
	l.mu.Unlock()
	for _, r := range refusals {
		l.box.publish(node, r)
	}
	l.box.publish(node, st)
}

func (b *Inbox) publish(node string, st *wire.Status) {
	// A status that cannot be sent is like one that is lost: the sender probes, and the next one says it all again.
	failpoint.Pass("inbox.before-ack")
	if b.pub.Publish(b.opt.Subjects.Status(node, b.opt.Node), st.Append(nil)) == nil {
		b.sent.Add(1)
	}
	failpoint.Pass("inbox.after-ack")
}

// status is what there is to say; l.mu is held.
func (l *receiver) status() *wire.Status {
	st := &wire.Status{ReceiverStore: l.box.log.ID(), ReceiverRun: l.box.log.Run(), SenderStore: l.key.sender, Session: l.session,
		State: wire.OK, Received: l.machine.Received()}
	l.unsaid = 0
	if l.starved > 0 && l.box.account.fits(l.starved) {
		l.starved, l.gap = 0, true // its frames are to come again
	}
	if l.opened {
		l.opened = false
		st.Opened, st.Channels = true, append([]wire.StatusChannel(nil), l.answer...)
		return st
	}
	switch {
	case l.lost:
		st.State, l.lost = wire.Unknown, false
	case l.full() || l.blocked != "" || l.starved > 0:
		st.State, st.Reason = wire.Blocked, l.blocked
	case l.gap:
		st.State = wire.Gap
	case l.busy:
		st.State = wire.Working
	}
	for name, p := range l.progress {
		if p.committed == (wire.Position{}) {
			continue
		}
		place, _ := l.machine.Place(name)
		st.Channels = append(st.Channels, wire.StatusChannel{Name: name, Join: p.join, Committed: []wire.Position{p.committed},
			Received: wire.Position(place.Received), Piece: place.Piece, Totals: p.committedTotals, State: wire.OK})
	}
	return st
}
