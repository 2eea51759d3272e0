package router

import (
	"fmt"
	"unicode/utf8"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/admin"
)

// Ready says why the router cannot take messages, or nil. NATS being down is no reason: messages are kept. A storage that refuses messages is one.
func (r *Router) Ready() error {
	t := r.engine.StorageTrouble()
	switch t.Kind {
	case engine.StorageOK:
		return nil
	case engine.StorageBroken:
		return fmt.Errorf("%w: %s", engine.ErrStorage, t.Reason)
	case engine.StorageReadOnly:
		return fmt.Errorf("%w: %s", engine.ErrNotWritable, t.Reason)
	case engine.StorageLimit, engine.StorageDiskFull, engine.StorageReserveUsed:
	}
	return fmt.Errorf("%w: %s", engine.ErrStorageFull, t.Reason)
}

// Status is what the router tells about itself.
func (r *Router) Status() admin.Status {
	e := r.engine.Status()
	s := admin.Status{Node: e.Node, Store: e.Store, Run: e.Run, Version: r.options.Version, Config: r.config.Source, Storage: r.storage,
		UptimeS: e.Uptime.Seconds(), NATS: admin.NATS{Connected: e.Connected, URL: r.natsURL, Embedded: r.nats != nil},
		Statistic: r.engine.Mgmt.Statistic(), Channels: []admin.Channel{}, Accounts: []admin.Account{}, Inbound: []admin.Inbound{}, Inputs: []admin.Input{}, Plugins: []admin.Plugin{},
		Suspended: []admin.Suspended{}, Denied: []admin.Denied{}}
	if e.Conflict != nil {
		s.Conflict = e.Conflict.Error()
	}
	if t := e.Storage; t.Kind != engine.StorageOK {
		s.StorageTrouble = &admin.StorageTrouble{Kind: string(t.Kind), Detail: t.Reason, ForS: t.For.Seconds()}
	}
	for _, c := range r.config.Channels {
		info := admin.Channel{Name: c.Name, Mode: string(c.Mode), Consumer: c.Consumer, Own: c.Own}
		if c.Mode.Reads() && c.Consumer == "" {
			info.State = admin.NoConsumer
		}
		if r.engine.Channel(c.Name) == nil {
			info.State = "this node was kicked from it, or left it: a restart joins it anew"
		}
		if h := r.consumers[c.Name]; h != nil {
			info.State = h.hold.state()
		}
		s.Channels = append(s.Channels, info)
	}
	for _, a := range r.engine.Accounts() {
		s.Accounts = append(s.Accounts, admin.Account{Channel: a.Channel, Reader: a.Reader, Accepted: int64(a.Accepted), Handled: int64(a.Handled), Dead: int64(a.Dead),
			Expired: int64(a.Expired), Purged: int64(a.Purged), Overflow: int64(a.Overflow), Removed: int64(a.Removed), Corrupt: int64(a.Corrupt), Pruned: int64(a.Pruned),
			Pending: int64(a.Pending), Ended: a.Ended})
	}
	for _, i := range r.engine.Inbound() {
		s.Inbound = append(s.Inbound, admin.Inbound{Channel: i.Channel, Sender: i.Sender, Position: i.Position, Handled: int64(i.Handled), Dead: int64(i.Dead)})
	}
	for i, in := range r.config.Inputs {
		s.Inputs = append(s.Inputs, admin.Input{Name: in.Name, Type: in.Type, Channel: in.Channel, Rejected: r.sinks[i].rejected.Load()})
	}
	for _, one := range e.Suspended {
		s.Suspended = append(s.Suspended, admin.Suspended{Channel: one.Channel, Reader: one.Node, Reason: one.Reason, ForS: one.For.Seconds()})
	}
	for _, one := range e.Denied {
		s.Denied = append(s.Denied, admin.Denied{Subject: one.Subject, Fix: one.Fix, ForS: one.For.Seconds()})
	}
	for _, c := range r.config.Plugins {
		s.Plugins = append(s.Plugins, pluginStatus(r.stages[c.Name]))
	}
	return s
}

func pluginStatus(s *stage) admin.Plugin {
	stats, edition := s.Stats(), s.Edition()
	p := admin.Plugin{Name: s.Name(), Edition: edition.Number, SHA256: edition.SHA256, Serves: s.Kind().String(), File: s.config.File, State: s.state(), Calls: int64(stats.Calls), Faults: int64(stats.Faults), Refused: s.refusals.Load(), Custom: stats.Custom, Verdicts: map[string]int64{
		plugins.Pass.String(): int64(stats.Passed), plugins.Drop.String(): int64(stats.Dropped), plugins.Retry.String(): int64(stats.Retried), plugins.Dead.String(): int64(stats.Dead),
	}}
	faults, _ := s.Suspended()
	p.Suspended = faults >= plugins.SuspendAfter
	if p.Custom == nil {
		p.Custom = map[string]int64{}
	}
	return p
}

// Watch shows the messages of a channel: those that this node handles, and those that it sends unless it handles them itself.
func (r *Router) Watch(channel string, f func(e admin.Event, lost int64)) (stop func(), err error) {
	c := r.config.Channel(channel)
	if c == nil {
		return nil, fmt.Errorf("%w: %q: its channels are %s; add it to the configuration", admin.ErrNoChannel, channel, r.channelNames())
	}
	handled := c.Own && c.Consumer != ""
	return r.engine.Tap(channel, func(m *engine.Message, lost uint64) {
		if !m.Outgoing || !handled {
			f(event(m), int64(lost))
		}
	}), nil
}

func event(m *engine.Message) admin.Event {
	e := admin.Event{ID: m.ID, Channel: m.Channel, Sender: m.Sender, Seq: m.Seq, Direction: "in", CreatedMs: m.CreatedAt.UnixMilli()}
	if m.Outgoing {
		e.Direction = "out"
	}
	for _, h := range m.Headers {
		e.Headers = append(e.Headers, admin.Header{Name: h.Name, Value: h.Value})
	}
	if utf8.Valid(m.Data) {
		e.Data = string(m.Data)
	} else {
		e.DataBase64 = m.Data
	}
	return e
}
