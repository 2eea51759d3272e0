package node

import "github.com/getevo/rmds-router/engine/internal/store"

// names are the nodes that stores belonged to when this one last ran.
func (n *Node) names() map[store.ID]string {
	names := map[store.ID]string{}
	for _, p := range n.store.AllPositions() {
		names[p.Sender] = p.Node
	}
	for _, r := range n.store.Readers() { // the newer name of the two, for it does not wait for a message
		if r.Node != "" {
			names[r.Store] = r.Node
		}
	}
	return names
}

// moved tells of a node that announces what another one was known to have.
func (n *Node) moved(before, now string, heeded bool) {
	log := n.log.With().Str("node", now).Str("before", before).Logger()
	if heeded {
		n.limiter.info(log, "renamed", "a node goes on under another name")
		return
	}
	n.limiter.warn(log, "moved "+now, "a node announces the database of another one; if that one was renamed, this is heeded when nothing is heard of the old name any more")
}

// rename puts on record that a reader's node has another id now, durably. What is on record for its store goes on.
func (n *Node) rename(id store.ID, before, now string) {
	a := store.AddReader{Store: id, Node: now} // of no channel: it stands for all of them
	if !n.under(a) {
		return
	}
	log := n.log.With().Str("node", now).Str("before", before).Hex("store", id[:]).Logger()
	n.out.NameReader(id, now, func(err error) {
		n.over(a)
		n.friends.Store(now, true)
		if err != nil {
			log.Error().Err(err).Msg("the new name of a reader could not be put on record")
			return
		}
		n.limiter.info(log, "named", "a reader has another name now; it goes on where it was")
	})
}
