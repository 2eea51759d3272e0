package node

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Denial is a subject that NATS does not let this node use, and the way out. Those of data to one reader are among the suspensions instead.
type Denial struct {
	Subject, Fix string
	For          time.Duration // since it was first refused
}

// denial is what is known of a refused subject. n.mu guards it.
type denial struct {
	channel      string // of data that would be read
	since, last  time.Duration
	tried        time.Duration // a subscription was made again
	subscription bool
}

// maxDenials bounds the subjects that are remembered.
const maxDenials = 1024

// How long after it was refused a subject that is published to counts as allowed again, in intervals of the announcements to all; and how
// long after it was made again a subscription does.
const (
	deniedIntervals = 3
	deniedProbation = 2 * time.Second
)

// denied takes notice that NATS refuses a subject: what depends on it rests, and nothing else does.
func (n *Node) denied(e transport.Event) {
	n.count.denied.Add(1)
	subscription := strings.Contains(e.Subject, "*")
	verb := "publish to "
	if subscription {
		verb = "subscribe to "
	}
	fix := "allow user of node " + n.id + " to " + verb + e.Subject
	if held, ok := n.limiter.allow("denied "+e.Subject, 1); ok {
		n.log.Error().Str("subject", e.Subject).Err(e.Err).Int("held_back", held).Str("fix", fix).Msg("NATS does not permit this subject; what needs it rests, and is tried again")
	}
	a, ours := n.opt.Subjects.Parse(e.Subject)
	switch {
	case ours && a.From == n.id && (a.Kind == wire.SubjectData || a.Kind == wire.SubjectOpen):
		n.out.Denied(a.To, a.Channel, "NATS does not permit it: "+fix)
		return
	case e.Subject == "":
		return
	}
	channel := n.noteDenial(e.Subject, subscription)
	if channel != "" {
		n.in.Deafened(channel)
	}
}

// noteDenial puts a denial on the list and tells the channel whose data it keeps away.
func (n *Node) noteDenial(subject string, subscription bool) (channel string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.denials[subject]
	if d == nil {
		if len(n.denials) >= maxDenials {
			return ""
		}
		d = &denial{since: n.now(), subscription: subscription}
		for _, j := range n.joins {
			if subject == n.opt.Subjects.DataOn(j.Channel, n.id) {
				d.channel = j.Channel
			}
		}
		n.denials[subject] = d
	}
	d.last = n.now()
	return d.channel
}

// Denials lists the subjects that NATS refuses, sorted.
func (n *Node) Denials() []Denial {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []Denial
	for subject, d := range n.denials {
		verb := "publish to "
		if d.subscription {
			verb = "subscribe to "
		}
		list = append(list, Denial{subject, "allow user of node " + n.id + " to " + verb + subject, n.now() - d.since})
	}
	slices.SortFunc(list, func(a, b Denial) int { return cmp.Compare(a.Subject, b.Subject) })
	return list
}

// deaf says why this node does not hear a channel's data; empty: it does.
func (n *Node) deaf(channel string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	subject := n.opt.Subjects.DataOn(channel, n.id)
	if n.denials[subject] == nil {
		return ""
	}
	return "NATS does not let " + n.id + " subscribe to " + subject
}

// retryDenied makes refused subscriptions again, and ends denials that were not repeated.
func (n *Node) retryDenied() {
	var again []string
	ended := false
	n.mu.Lock()
	now := n.now()
	for subject, d := range n.denials {
		switch {
		case !d.subscription && now-d.last >= deniedIntervals*n.opt.Broadcast, d.subscription && d.tried > d.last && now-d.tried >= deniedProbation:
			delete(n.denials, subject)
			ended = true
			n.log.Info().Str("subject", subject).Msg("NATS permits this subject again")
		case d.subscription && d.tried <= d.last && now-d.last >= n.opt.RetryInterval && n.connected.Load():
			d.tried = now
			again = append(again, subject)
		}
	}
	n.mu.Unlock()
	for _, pattern := range again {
		if err := n.conn.Unsubscribe(pattern); err != nil {
			n.log.Warn().Str("subject", pattern).Err(err).Msg("cannot unsubscribe")
		}
		if err := n.conn.Subscribe(pattern); err != nil {
			n.log.Error().Str("subject", pattern).Err(err).Msg("cannot subscribe")
		}
	}
	if ended {
		n.in.Reconsider()
	}
}
