package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/config"
)

// lateState is the plugins' durable state. Plugins are loaded before the database is opened, so that a bad plugin leaves nothing
// behind; until then every key is absent.
type lateState struct{ state atomic.Pointer[engine.State] }

func (l *lateState) set(s engine.State) { l.state.Store(&s) }

// Get is plugins.State's.
func (l *lateState) Get(namespace string, key []byte) ([]byte, bool, error) {
	if s := l.state.Load(); s != nil {
		return s.Get(namespace, key)
	}
	return nil, false, nil
}

// Next is plugins.State's.
func (l *lateState) Next(namespace string, after []byte) ([]byte, bool, error) {
	if s := l.state.Load(); s != nil {
		return s.Next(namespace, after)
	}
	return nil, false, nil
}

// loadPlugins loads every plugin, and finds out whether each can do what the configuration wants of it.
func (r *Router) loadPlugins(ctx context.Context) error {
	r.host = plugins.NewHost(plugins.HostOptions{CacheDir: r.options.CacheDir, Logger: r.part("plugin"), State: &r.state, NodeInfo: r.nodeInfo})
	var problems config.Problems
	for i, c := range r.config.Plugins {
		p, err := r.host.Load(ctx, c)
		if err != nil {
			problems = append(problems, r.config.Problem(fmt.Sprintf("plugins[%d].file", i), "%v", err))
			continue
		}
		s := &stage{Plugin: p, config: p.Config()}
		if p.Stateful() {
			s.gate = newGate(c.Name)
		}
		r.stages[c.Name] = s
	}
	return append(problems, r.misused()...).Err()
}

// misused finds plugins in a place that their exports do not fit.
func (r *Router) misused() config.Problems {
	var problems config.Problems
	need := func(path, name string, kind plugins.Kind, export, as string) {
		if s := r.stages[name]; s != nil && s.Kind()&kind == 0 {
			problems = append(problems, r.config.Problem(path, "the plugin %s cannot be %s: %s does not export %s", name, as, s.config.File, export))
		}
	}
	for i, ch := range r.config.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		for j, name := range ch.Outbound {
			need(fmt.Sprintf("%s.outbound[%d]", path, j), name, plugins.Filters, "rmds_filter", "a filter")
		}
		for j, name := range ch.Inbound {
			need(fmt.Sprintf("%s.inbound[%d]", path, j), name, plugins.Filters, "rmds_filter", "a filter")
		}
		need(path+".consumer", ch.Consumer, plugins.Handles, "rmds_handle", "a consumer")
	}
	return problems
}

// Check loads what a configuration names without starting anything, and returns what is legal but probably not meant.
func Check(ctx context.Context, c *config.Config, o Options) ([]string, error) {
	r := &Router{options: o, config: c, log: o.Logger, stages: map[string]*stage{}}
	err := r.loadPlugins(ctx)
	closed := r.host.Close(ctx)
	var problems config.Problems
	switch {
	case errors.As(err, &problems), err == nil:
		err = append(problems, r.faultyFiles()...).Err()
	}
	if err == nil {
		err = closed
	}
	return c.Warnings(), err
}

// tick calls a plugin at its interval until ctx ends, and commits what it wants done. A failed tick is not made up for.
func (r *Router) tick(ctx context.Context, s *stage) {
	g := r.gatesFor(s.Name())
	log := r.part("plugin").With().Str("plugin", s.Name()).Logger()
	ticker := time.NewTicker(s.config.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if g.take(ctx) != nil {
				return
			}
			p := &pass{router: r}
			o := s.Tick(ctx, now)
			o.Release()
			v := s.verdict(&o, false)
			if v.end == passed {
				v = p.accept(ctx, s, o, 0)
			} else {
				o.Settle(nil)
			}
			if v.end == held || v.end == dead {
				p.rewind(mark{})
				g.release()
				log.Warn().Str("reason", v.reason).Msg("a tick failed; its effects are discarded")
				continue
			}
			if _, err := r.commit(ctx, p, nil, g); err != nil {
				log.Warn().Err(err).Msg("a tick's effects could not be stored and are discarded")
			}
		}
	}
}

// nodeInfo keeps for a moment what plugins may ask about the node.
type nodeInfo struct {
	mu   sync.Mutex
	at   time.Time
	data []byte
}

const nodeInfoAge = time.Second

func (r *Router) nodeInfo() []byte {
	r.info.mu.Lock()
	defer r.info.mu.Unlock()
	if r.engine == nil || time.Since(r.info.at) < nodeInfoAge {
		return r.info.data
	}
	type node struct {
		ID       string   `json:"id"`
		Online   bool     `json:"online"`
		Channels []string `json:"channels"`
	}
	var nodes []node
	for _, n := range r.engine.Mgmt.Nodes() {
		info := node{ID: n.ID, Online: n.Online, Channels: []string{}}
		for _, c := range n.Channels {
			info.Channels = append(info.Channels, c.Channel)
		}
		nodes = append(nodes, info)
	}
	data, err := json.Marshal(struct {
		Node      string           `json:"node"`
		Statistic map[string]int64 `json:"statistic"`
		Nodes     []node           `json:"nodes"`
	}{r.node, r.engine.Mgmt.Statistic(), nodes})
	if err == nil {
		r.info.at, r.info.data = time.Now(), data
	}
	return r.info.data
}

func (r *Router) channelNames() string {
	names := make([]string, len(r.config.Channels))
	for i, c := range r.config.Channels {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}
