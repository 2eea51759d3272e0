package router

import (
	"errors"
	"fmt"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/admin"
)

// Nodes lists every known node, this one first, then by id.
func (r *Router) Nodes() []admin.Node {
	list := []admin.Node{}
	for _, n := range r.engine.Mgmt.Nodes() {
		node := admin.Node{ID: n.ID, Store: n.Store, Version: n.Version, Online: n.Online, Self: n.Self, LastSeenS: n.LastSeen.Seconds(), UptimeS: n.Uptime.Seconds(), Channels: []admin.Role{}}
		for _, c := range n.Channels {
			node.Channels = append(node.Channels, admin.Role{Channel: c.Channel, Mode: c.Mode.String(), Ready: c.Ready})
		}
		list = append(list, node)
	}
	return list
}

// Audit lists the orders that this node gave or obeyed, newest first.
func (r *Router) Audit() ([]admin.AuditRecord, error) {
	records, err := r.engine.Mgmt.Audit()
	if err != nil {
		return nil, err
	}
	list := make([]admin.AuditRecord, len(records))
	for i, a := range records {
		list[i] = admin.AuditRecord{ID: a.ID, TimeMs: a.Time.UnixMilli(), By: a.By, Action: a.Action, Outcome: a.Outcome, Failed: a.Failed, Over: a.Over}
	}
	return list, nil
}

// Kick ends a node's joins to the channels named, or to all.
func (r *Router) Kick(node string, channels []string) error {
	var err error
	if len(channels) == 0 {
		err = r.engine.Mgmt.Kick(node)
	} else {
		err = r.engine.Mgmt.KickChannel(node, channels...)
	}
	var failures engine.OrderError
	if errors.Is(err, engine.ErrLeft) && !errors.As(err, &failures) {
		return fmt.Errorf("%w: %q has joined none of these channels, as far as is known here; the nodes command lists what is", admin.ErrNoNode, node)
	}
	return err
}

// Purge removes messages, on every node that is online or on this one alone.
func (r *Router) Purge(p admin.Purge, self bool) error {
	var scope []engine.Scope
	if self {
		scope = append(scope, engine.Self)
	}
	switch p {
	case admin.PurgePending:
		return r.engine.Mgmt.PurgeQueue(scope...)
	case admin.PurgeDelivered:
		return r.engine.Mgmt.PurgeSent(scope...)
	case admin.PurgeAll:
	}
	return r.engine.Mgmt.PurgeAll(scope...)
}

// Replay has what the channel's senders still keep delivered to this node again.
func (r *Router) Replay(channel string) error {
	if r.config.Channel(channel) == nil {
		return fmt.Errorf("%w: %q: its channels are %s", admin.ErrNoChannel, channel, r.channelNames())
	}
	return r.engine.Mgmt.Replay(channel)
}
