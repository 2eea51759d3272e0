package membership

import "github.com/getevo/rmds-router/engine/internal/wire"

// Whoever may publish announcements can make up nodes. These bound what is remembered of them: a peer takes about half a kilobyte, a join about a hundred bytes.
const (
	maxNodes = 65536
	maxJoins = 1 << 18 // of all peers together
	// A crowded view forgets who is offline at once, not only after a day.
	crowdedNodes = maxNodes / 4
	crowdedJoins = maxJoins / 4

	maxLeft    = 256 // ended joins that are remembered of an announcement; nodes in order name no more
	maxVersion = 64  // bytes of a program's version
)

// room tells whether an announcement can be taken whole. There is a quarter more of it for friends, so that they are heard while strangers fill the rest.
func (v *View) room(p *Peer, a *wire.Announcement, partial bool) bool {
	nodes, joins := maxNodes, maxJoins
	if v.friend(a.Node) {
		nodes, joins = nodes+nodes/4, joins+joins/4
	}
	grow := len(a.Channels)
	switch {
	case p == nil:
	case partial:
		for i := range a.Channels {
			if _, known := p.Channel(a.Channels[i].Name); known {
				grow--
			}
		}
	default:
		grow -= len(p.joins)
	}
	return (p != nil || len(v.peers) < nodes) && (grow <= 0 || v.joins+grow <= joins)
}

func (v *View) crowded() bool { return len(v.peers) >= crowdedNodes || v.joins >= crowdedJoins }

// drop forgets a peer.
func (v *View) drop(p *Peer) {
	v.joins -= len(p.joins)
	delete(v.peers, p.Node)
	if v.holders[p.Store] == p {
		delete(v.holders, p.Store)
	}
}

// Refused counts the announcements that found no room.
func (v *View) Refused() uint64 { return v.refused }
