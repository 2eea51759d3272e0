package plugins

import (
	"context"
	"fmt"

	"github.com/getevo/rmds-router/plugins/internal/screen"
)

// edition is one version of a plugin's module at work: what a reload replaces. Configuration, counts and what is not committed yet are the plugin's
// and outlive it.
type edition struct {
	plugin *Plugin
	number uint64 // from 1
	sha256 string
	memory int64 // bytes
	kind   Kind
	guest  *guest
	pool   *pool
}

// prepare checks and compiles a module of the plugin and makes the first instance, which shows that it works. Nothing is left of one that does not.
func (p *Plugin) prepare(ctx context.Context, module *source, number uint64) (*edition, error) {
	info, err := screen.Module(module.bytes)
	if err != nil {
		return nil, p.config.problem(ErrModule, "%v", err)
	}
	e := &edition{plugin: p, number: number, sha256: module.digest(), memory: p.config.withModuleDefaults(info.GoGuest, false).Limits.Memory}
	if e.guest, err = p.host.compile(ctx, p.config, e.memory, module); err != nil {
		return nil, err
	}
	if err := e.link(ctx, info); err != nil {
		e.guest.close(ctx)
		return nil, err
	}
	if err := e.start(ctx); err != nil {
		e.close(ctx)
		return nil, err
	}
	return e, nil
}

// link checks the contract and sets up what calls need.
func (e *edition) link(ctx context.Context, info screen.Info) error {
	c := e.plugin.config
	if err := e.guest.link(ctx); err != nil {
		return c.problem(ErrModule, "%v", err)
	}
	var err error
	if e.kind, err = e.guest.fits(info.GoGuest); err != nil {
		return c.problem(ErrContract, "%v", err)
	}
	kv := e.guest.importsKV()
	e.pool = newPool(c.withModuleDefaults(info.GoGuest, kv).Pool, e.newInstance, func() { e.plugin.counts.discarded.Add(1) })
	if kv && !c.Allow.KV {
		e.plugin.log.Warn().Msg("the module imports kv functions, but allow.kv is off: they answer that they are denied")
	}
	return nil
}

// start makes the first instance and learns what it offers.
func (e *edition) start(ctx context.Context) error {
	c := e.plugin.config
	if e.kind&Command == 0 {
		in, err := e.pool.take(ctx)
		if err != nil {
			return err
		}
		if offers := in.call.offers; offers != 0 {
			e.kind &= offers
		}
		e.pool.put(in, useOther)
	}
	if e.kind == 0 {
		return c.problem(ErrContract, "offers only entry points that it does not export")
	}
	if c.Tick > 0 && e.kind&Ticks == 0 {
		return c.problem(ErrContract, "tick is set, but the module serves no rmds_tick")
	}
	return nil
}

// close waits for the calls under way, calls rmds_stop in every instance and frees the module. When ctx ends first, the calls are ended.
func (e *edition) close(ctx context.Context) {
	e.pool.close(ctx)
	e.guest.close(context.WithoutCancel(ctx))
}

// Edition says which version of its module a plugin runs: 1 after Load, one more with each Reload.
type Edition struct {
	Number uint64
	SHA256 string // in hexadecimal
	Memory int64  // bytes that an instance may have
	Pool   int    // instances at most
}

// Edition is the one that new calls go to.
func (p *Plugin) Edition() Edition {
	e := p.current.Load()
	return Edition{Number: e.number, SHA256: e.sha256, Memory: e.memory, Pool: e.pool.size}
}

// Reload reads the plugin's file again and puts the module in it to work: it is compiled, started and asked for its health beside the one that runs; then
// new calls go to it, and Reload waits until those under way in the old one have ended (when ctx ends first, they are ended as faults). A module that does not fit, does not
// start, is unwell, or cannot do all that the old one does changes nothing: the old one runs on, and the error says what is wrong. Keys and counts stay. Nothing happens if
// the file holds what runs already; changed tells.
func (p *Plugin) Reload(ctx context.Context) (changed bool, err error) {
	p.reload.Lock()
	defer p.reload.Unlock()
	if err := p.host.beginLoad(); err != nil {
		return false, err
	}
	defer p.host.loads.Done()
	old := p.current.Load()
	module, err := p.config.readModule()
	if err != nil || module.digest() == old.sha256 {
		return false, err
	}
	e, err := p.prepare(ctx, module, old.number+1)
	if err != nil {
		return false, err
	}
	if lost := old.kind &^ e.kind; lost != 0 {
		e.close(ctx)
		return false, p.config.problem(ErrContract, "the new version lacks %s, which the one that runs has", lost)
	}
	if err := e.health(ctx); err != nil {
		e.close(ctx)
		return false, p.config.problem(ErrUnhealthy, "the new version: %v", err)
	}
	p.current.Store(e)
	p.log.Info().Uint64("edition", e.number).Str("sha256", e.sha256).Msg("a new version of the plugin is at work")
	old.close(ctx)
	return true, nil
}

// String lists what the kind has, as the names of exports.
func (k Kind) String() string {
	text := ""
	for _, one := range []struct {
		bit  Kind
		name string
	}{{Filters, "rmds_filter"}, {Handles, "rmds_handle"}, {Ticks, "rmds_tick"}, {Command, "_start"}} {
		if k&one.bit != 0 {
			text += " " + one.name
		}
	}
	if text == "" {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return text[1:]
}
