package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/admin"
)

// state says in a few words how a plugin fares.
func (s *stage) state() string {
	faults, wait := s.Suspended()
	text := "working"
	switch {
	case wait > 0:
		text = fmt.Sprintf("suspended for %s more: the last %d calls failed; its messages wait", wait.Round(time.Millisecond), faults)
	case faults >= plugins.SuspendAfter:
		text = fmt.Sprintf("suspended until its next call: the last %d calls failed", faults)
	case faults > 0:
		text = fmt.Sprintf("working; the last %d calls failed", faults)
	}
	if refused := s.refused.Load(); refused != nil {
		text += "; a new version was refused: " + *refused
	}
	return text
}

// ReloadPlugin puts a new version of a plugin's module to work, if its file holds one.
func (r *Router) ReloadPlugin(ctx context.Context, plugin string) (admin.Reloaded, error) {
	s := r.stages[plugin]
	if s == nil {
		return admin.Reloaded{}, fmt.Errorf("%w: %q", admin.ErrNoPlugin, plugin)
	}
	changed, err := s.Reload(ctx)
	if err != nil {
		text := err.Error()
		s.refused.Store(&text)
		s.refusals.Add(1)
		return admin.Reloaded{}, fmt.Errorf("%w: %w", admin.ErrReload, err)
	}
	s.refused.Store(nil)
	return admin.Reloaded{Changed: changed, Plugin: pluginStatus(s)}, nil
}

// SetPluginState changes a key of a plugin, or removes it if value is nil, between two of the plugin's calls.
func (r *Router) SetPluginState(ctx context.Context, plugin string, key, value []byte) error {
	s := r.stages[plugin]
	if s == nil {
		return fmt.Errorf("%w: %q", admin.ErrNoPlugin, plugin)
	}
	if len(key) > s.config.Limits.Key || len(value) > s.config.Limits.Value {
		return fmt.Errorf("%w: key or value is above the plugin's limit (%d and %d bytes)", admin.ErrState, s.config.Limits.Key, s.config.Limits.Value)
	}
	g := r.gatesFor(plugin)
	if err := g.take(ctx); err != nil {
		return fmt.Errorf("wait for the plugin %s: %w", plugin, err)
	}
	o, err := s.Edit(ctx, []plugins.StateChange{{Key: key, Value: value}})
	if err != nil {
		g.release()
		if errors.Is(err, plugins.ErrConfig) {
			err = fmt.Errorf("%w: %w", admin.ErrState, err)
		}
		return err
	}
	o.Release()
	p := &pass{router: r}
	p.accept(ctx, s, o, 0)
	r.log.Warn().Str("plugin", plugin).Bytes("key", key).Bool("removed", value == nil).Msg("a key of a plugin was changed by hand")
	_, err = r.commit(ctx, p, nil, g)
	return err
}

// PluginState lists durable keys of a plugin.
func (r *Router) PluginState(plugin string, prefix, after []byte, limit int) ([]admin.Entry, error) {
	if r.stages[plugin] == nil {
		return nil, fmt.Errorf("%w: %q", admin.ErrNoPlugin, plugin)
	}
	state := r.engine.State()
	var list []admin.Entry
	if bytes.Compare(after, prefix) < 0 { // begin at the prefix itself
		value, ok, err := state.Get(plugin, prefix)
		if err != nil {
			return nil, err
		}
		if ok && len(prefix) > 0 {
			list = append(list, admin.Entry{Key: prefix, Value: value})
		}
		after = prefix
	}
	for len(list) < limit {
		key, ok, err := state.Next(plugin, after)
		if err != nil {
			return nil, err
		}
		if !ok || !bytes.HasPrefix(key, prefix) {
			break
		}
		value, ok, err := state.Get(plugin, key)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, admin.Entry{Key: key, Value: value})
		}
		after = key
	}
	return list, nil
}
