package node

import (
	"fmt"
	"strings"

	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// receiver is the node as the connection sees it.
type receiver Node

// Receive takes one message of the network.
func (r *receiver) Receive(subject string, data []byte) {
	n := (*Node)(r)
	a, ok := n.opt.Subjects.Parse(subject)
	switch {
	case !ok:
		n.reject(wire.BadSubject, "", "", "the subject is none of this network's")
	case a.From == n.id && (a.Kind == wire.SubjectDiscovery || a.Kind == wire.SubjectKeepalive):
		// what this node published itself, or another with its name
		n.announcement(a, data)
	case a.From == n.id: // frames to itself do not take this way
		n.reject(wire.Impostor, a.From, a.Channel, "another node uses this node's name")
	case a.To != "" && a.To != n.id:
		n.reject(wire.Misdirected, a.From, a.Channel, "for node "+a.To)
	default:
		n.receive(a, data)
	}
}

// reject counts something that is not heeded, and logs it at a limited rate.
func (n *Node) reject(f wire.Fault, from, channel, detail string) {
	n.count.faults[f].Add(1)
	if !f.Hostile() {
		n.log.Debug().Str("node", from).Str("channel", channel).Stringer("fault", f).Str("detail", detail).Msg("a frame came late or again")
		return
	}
	if held, ok := n.limiter.allow("fault "+f.String(), 1); ok {
		n.log.Warn().Int("held_back", held).Str("node", from).Str("channel", channel).Stringer("fault", f).Str("detail", detail).
			Msg("something that came from the network was not heeded")
	}
}

func (n *Node) receive(a wire.Address, data []byte) {
	n.observeFrame(FrameReceived, a, a.From, data)
	switch a.Kind {
	case wire.SubjectData:
		if !n.standsBack(a.From) {
			n.in.Receive(a, data)
		}
	case wire.SubjectOpen:
		if n.standsBack(a.From) {
			return
		}
		if !n.put(a.From, heard{from: a.From, open: data}) {
			n.reject(wire.Huge, a.From, "", "open: too much came at once")
		}
	case wire.SubjectStatus:
		st, err := wire.ParseStatus(data)
		if err != nil {
			n.reject(wire.FaultOf(err), a.From, "", err.Error())
			return
		}
		n.out.Status(a.From, st)
	case wire.SubjectKeepalive, wire.SubjectDiscovery:
		n.announcement(a, data)
	case wire.SubjectManagement:
		m, err := wire.ParseManagement(data)
		if err != nil {
			n.reject(wire.FaultOf(err), a.From, "", err.Error())
			return
		}
		if _, _, ok := n.member(a.From); !ok {
			n.reject(wire.Stranger, a.From, "", "management: from a node that has not announced itself")
			return
		}
		n.managed(a.From, m)
	}
}

// put leaves something for the membership goroutine. What comes from one node keeps its order while it is a stranger, and while it is not.
func (n *Node) put(from string, h heard) bool {
	queue := n.strangers
	if from == n.id || n.friend(from) {
		queue = n.heard
	}
	select {
	case queue <- h:
		return true
	default:
		n.count.unheard.Add(1)
		return false
	}
}

func (n *Node) announcement(a wire.Address, data []byte) {
	an, err := wire.ParseAnnouncement(data)
	if err != nil {
		n.reject(wire.FaultOf(err), a.From, a.Channel, err.Error())
		return
	}
	if an.Node != a.From {
		n.reject(wire.Impostor, a.From, a.Channel, "announcement: of node "+an.Node)
		return
	}
	if an.Node == n.id {
		if an.Run != n.store.Run() {
			n.put(a.From, heard{announcement: an})
		}
		return
	}
	if an.Store == n.store.ID() {
		n.count.faults[wire.Impostor].Add(1)
		n.limiter.warn(n.log.With().Str("from", a.From).Logger(), "copy", "another node announces this node's database: was the disk copied? It is not heeded")
		return
	}
	n.count.keepalivesReceived.Add(1)
	if a.Kind == wire.SubjectKeepalive && (len(an.Channels) != 1 || an.Channels[0].Name != a.Channel) {
		n.reject(wire.Impostor, a.From, a.Channel, "keepalive: of other channels than its subject's")
		return
	}
	n.put(a.From, heard{announcement: an, partial: a.Kind == wire.SubjectKeepalive})
}

// Event takes a change of the connection.
func (r *receiver) Event(e transport.Event) {
	n := (*Node)(r)
	switch e.Kind {
	case transport.Connected:
		n.log.Info().Str("server", e.Server).Msg("connected to NATS")
		n.count.reconnects.Add(1)
		n.observe(&Event{Kind: Connected, Detail: e.Server})
		n.mu.Lock()
		n.view.Connected(n.now())
		n.mu.Unlock()
		n.connected.Store(true)
		n.out.Connected()
		n.ask()
	case transport.Disconnected:
		n.connected.Store(false)
		n.mu.Lock()
		n.settled.Store(false)
		n.view.Disconnected()
		n.mu.Unlock()
		n.out.Disconnected()
		n.observe(&Event{Kind: Disconnected, Detail: fmt.Sprint(e.Err)})
		n.log.Warn().Err(e.Err).Msg("no connection to NATS; messages are kept and sent when it is back")
	case transport.Denied:
		n.denied(e)
	case transport.Overrun:
		n.count.overruns.Add(1)
		n.limiter.warn(n.log.With().Err(e.Err).Logger(), "overrun", "frames arrived faster than they were taken; they will be sent again")
	case transport.Failed:
		n.limiter.warn(n.log.With().Err(e.Err).Logger(), "connect", "NATS cannot be reached; messages are kept and sent when it can")
	case transport.Closed:
	}
}

// transmit puts a frame on the network.
func (n *Node) transmit(subject string, data []byte) error {
	err := n.conn.Publish(subject, data)
	if err == nil && n.opt.Observe != nil {
		a, _ := n.opt.Subjects.Parse(subject)
		n.observeFrame(FrameSent, a, a.To, data)
	}
	return err
}

// publisher sends a node's frames to others over the network, and to itself without it.
type publisher struct {
	node  *Node
	local string // how subjects from this node to itself end
}

func (p *publisher) Publish(subject string, data []byte) error {
	if !strings.HasSuffix(subject, p.local) {
		return p.node.transmit(subject, data)
	}
	if a, ok := p.node.opt.Subjects.Parse(subject); ok {
		p.node.observeFrame(FrameSent, a, a.To, data)
		p.node.receive(a, append([]byte(nil), data...))
	}
	return nil
}

func (p *publisher) MaxPayload() int { return p.node.conn.MaxPayload() }
