package plugins

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// Plugin is a loaded module, ready to be called. Its methods may be called by several goroutines; as many calls run at a time as the pool has instances, and of a
// stateful plugin one, from the call to its Outcome's Release.
type Plugin struct {
	host    *Host
	config  Config
	log     zerolog.Logger
	overlay *overlay // nil unless the plugin is granted keys
	current atomic.Pointer[edition]
	reload  sync.Mutex // held while a new edition is prepared and put to work
	anyEmit bool
	emit    map[string]bool
	counts  counts
	lines   lineGate
	faults  lineGate // apart from lines, so that a guest that floods the log cannot hide its faults

	closeOnce sync.Once
	closed    chan struct{}
}

// Name is the configured name.
func (p *Plugin) Name() string { return p.config.Name }

// Kind tells what the plugin can be used as.
func (p *Plugin) Kind() Kind { return p.current.Load().kind }

// Stateful tells whether the plugin is allowed to keep keys: then its calls take turns.
func (p *Plugin) Stateful() bool { return p.overlay != nil }

// Config is the configuration with its defaults filled in, those that depend on the module as they are for the one that runs.
func (p *Plugin) Config() Config {
	c, e := p.config, p.Edition()
	c.Limits.Memory, c.Pool = e.Memory, e.Pool
	return c
}

// Stats are the counts so far.
func (p *Plugin) Stats() Stats { return p.counts.snapshot() }

// mayEmit tells whether the plugin is granted a channel.
func (p *Plugin) mayEmit(channel []byte) bool { return p.anyEmit || p.emit[string(channel)] }

// Filter lets the guest pass, change or drop a message. ctx bounds the wait for an instance; a call that has begun ends by itself within the time limit.
// If ctx ends, or the plugin is closed, before the call begins, the verdict is Retry and Reason says so.
func (p *Plugin) Filter(ctx context.Context, m *Message) Outcome {
	return p.do(ctx, entryFilter, m, uint64(len(m.Body)))
}

// Handle lets the guest consume a message; ctx is as in Filter.
func (p *Plugin) Handle(ctx context.Context, m *Message) Outcome {
	return p.do(ctx, entryHandle, m, uint64(len(m.Body)))
}

// Tick tells the guest the time; ctx is as in Filter.
func (p *Plugin) Tick(ctx context.Context, now time.Time) Outcome {
	return p.do(ctx, entryTick, nil, uint64(now.UnixMilli()))
}

// do makes one call and turns it into an outcome.
func (p *Plugin) do(ctx context.Context, e entry, m *Message, argument uint64) Outcome {
	if p.overlay == nil {
		return p.call(ctx, e, m, argument)
	}
	age, err := p.overlay.begin(ctx, p.closed)
	if err != nil {
		return notCalled(err)
	}
	o := p.call(ctx, e, m, argument)
	if o.turn == nil {
		o.turn = &turn{}
	}
	p.overlay.issue(o.turn, age, o.Effects.State)
	return o
}

// Edit is an outcome that changes keys as if a call of the plugin had: it takes its turn between two calls, and those behind it see the change. Instances are replaced,
// because they may remember what the keys held. The error is ctx's, ErrClosed, or ErrConfig for a plugin that may not keep keys.
func (p *Plugin) Edit(ctx context.Context, changes []StateChange) (Outcome, error) {
	if p.overlay == nil {
		return Outcome{}, p.config.problem(ErrConfig, "it keeps no keys: allow.kv is off")
	}
	age, err := p.overlay.begin(ctx, p.closed)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Verdict: Pass, Effects: Effects{State: changes}, turn: &turn{}}
	p.overlay.issue(o.turn, age, changes)
	p.current.Load().pool.renew()
	return o, nil
}

func notCalled(err error) Outcome {
	return Outcome{Verdict: Retry, Reason: "not called: " + err.Error()}
}

// entryPoint is the function of an instance that serves e.
func (in *instance) entryPoint(e entry) api.Function {
	switch e {
	case entryFilter:
		return in.filter
	case entryHandle:
		return in.handle
	}
	return in.tick
}

// call makes one call in the edition that is current when its turn comes: one that a reload closed meanwhile is not asked.
func (p *Plugin) call(ctx context.Context, e entry, m *Message, argument uint64) Outcome {
	for {
		v := p.current.Load()
		o, closed := v.call(ctx, e, m, argument)
		if closed && p.current.Load() != v {
			continue
		}
		return p.counted(m, o)
	}
}

// call makes one call; closed tells that it was not made, because the edition is closed.
func (v *edition) call(ctx context.Context, e entry, m *Message, argument uint64) (o Outcome, closed bool) {
	if v.kind&Command != 0 && e != entryTick {
		return v.runCommand(ctx, e, m)
	}
	in, err := v.pool.take(ctx)
	if err != nil {
		return notTaken(err), errors.Is(err, ErrClosed)
	}
	f := in.entryPoint(e)
	if f == nil {
		v.pool.put(in, useOther)
		return Outcome{Verdict: Fault, Reason: "the module does not export what it is used as"}, false
	}
	code, err := in.run(e, f, m, argument, v.plugin.config.Limits.Timeout)
	o = in.outcome(e, code, err)
	v.pool.put(in, in.fared(err))
	return o, false
}

func (in *instance) fared(err error) use {
	switch {
	case err == nil:
		return useWorked
	case in.call.stateErr != nil:
		return useSpoiled
	}
	return useFaulted
}

// notTaken is the outcome when there was no instance to call: the wait was cut short, or none could be made.
func notTaken(err error) Outcome {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClosed) {
		return notCalled(err)
	}
	return Outcome{Verdict: Fault, Reason: err.Error()}
}

// counted notes a verdict, and a fault in the log as well.
func (p *Plugin) counted(m *Message, o Outcome) Outcome {
	p.counts.verdicts[o.Verdict].Add(1)
	if o.Verdict == Fault {
		p.logFault(m, o.Reason)
	}
	return o
}

// outcome is what a call came to: its result, or the error it ended with.
func (in *instance) outcome(e entry, code int32, err error) Outcome {
	c := &in.call
	o := Outcome{Reason: c.reason, RetryAfter: c.retryAfter}
	if err != nil {
		if c.stateErr != nil {
			return Outcome{Verdict: Retry, Reason: fmt.Sprintf("%v: %v", errState, c.stateErr)}
		}
		o.Verdict, o.Reason, o.RetryAfter = Fault, joinReason(c.reason, in.faultText(err)), 0
		return o
	}
	switch {
	case code == abi.VerdictDone:
		o.Verdict = Pass
	case code == abi.VerdictDrop && e == entryFilter:
		o.Verdict = Drop
	case code == abi.VerdictRetry:
		o.Verdict = Retry
		return o
	case code == abi.VerdictDead:
		o.Verdict, o.RetryAfter = Dead, 0
		return o
	default:
		o.Verdict, o.RetryAfter = Fault, 0
		o.Reason = joinReason(c.reason, fmt.Sprintf("returned %d, which is no verdict here", code))
		return o
	}
	o.RetryAfter = 0
	o.Effects, o.turn = c.effects(in.p.overlay != nil)
	if e == entryFilter && o.Verdict == Pass {
		c.modified(&o)
	}
	return o
}

func joinReason(said, fault string) string {
	if said == "" {
		return fault
	}
	return said + " (" + fault + ")"
}

// Health asks the guest how it is; one that exports no rmds_health is healthy unless its last calls all failed.
func (p *Plugin) Health(ctx context.Context) error { return p.current.Load().health(ctx) }

func (v *edition) health(ctx context.Context) error {
	if v.kind&Command != 0 {
		return v.streak()
	}
	in, err := v.pool.take(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnhealthy, err)
	}
	if in.health == nil {
		v.pool.put(in, useOther)
		return v.streak()
	}
	code, err := in.run(entryOther, in.health, nil, 0, v.plugin.config.Limits.Timeout)
	reason := in.call.reason
	if err != nil {
		reason = joinReason(reason, in.faultText(err))
		v.pool.put(in, useFaulted)
		return fmt.Errorf("%w: %s", ErrUnhealthy, reason)
	}
	v.pool.put(in, useOther)
	if code != 0 {
		return fmt.Errorf("%w: %s", ErrUnhealthy, joinReason(reason, fmt.Sprintf("rmds_health returned %d", code)))
	}
	return v.streak()
}

func (v *edition) streak() error {
	if n := v.pool.faultsInRow(); n >= SuspendAfter {
		return fmt.Errorf("%w: the last %d calls failed", ErrUnhealthy, n)
	}
	return nil
}

// Suspended tells how many calls failed in a row, and how long the plugin is not called because of that: its messages wait.
func (p *Plugin) Suspended() (faults int, wait time.Duration) {
	v := p.current.Load()
	return v.pool.faultsInRow(), v.pool.paused()
}

// Close waits for the calls under way, calls rmds_stop in every instance and frees the plugin. When ctx ends first, the calls are
// ended, with verdict Fault. Outcomes stay valid. Closing twice does no harm.
func (p *Plugin) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		close(p.closed)
		p.reload.Lock() // a reload under way ends first
		defer p.reload.Unlock()
		p.current.Load().close(ctx)
		p.host.leave(p)
	})
	return nil
}
