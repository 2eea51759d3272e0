package plugins

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	kind    Kind
	log     zerolog.Logger
	guest   *guest
	pool    *pool
	overlay *overlay // nil unless the plugin is granted keys and imports the functions
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
func (p *Plugin) Kind() Kind { return p.kind }

// Stateful tells whether the plugin imports kv functions and is allowed to use them.
func (p *Plugin) Stateful() bool { return p.overlay != nil }

// Config is the configuration with its defaults filled in.
func (p *Plugin) Config() Config { return p.config }

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

func noSettle(error) {}
func noRelease()     {}

// do makes one call and turns it into an outcome.
func (p *Plugin) do(ctx context.Context, e entry, m *Message, argument uint64) Outcome {
	if p.overlay == nil {
		o := p.call(ctx, e, m, argument)
		o.Settle, o.Release = noSettle, noRelease
		return o
	}
	age, err := p.overlay.begin(ctx, p.closed)
	if err != nil {
		return notCalled(err)
	}
	o := p.call(ctx, e, m, argument)
	o.turn = p.overlay.issue(age, o.Effects.State)
	o.Settle, o.Release = o.turn.settle, o.turn.release
	return o
}

func notCalled(err error) Outcome {
	return Outcome{Verdict: Retry, Reason: "not called: " + err.Error(), Settle: noSettle, Release: noRelease}
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

func (p *Plugin) call(ctx context.Context, e entry, m *Message, argument uint64) Outcome {
	if p.kind&Command != 0 && e != entryTick {
		return p.counted(m, p.runCommand(ctx, e, m))
	}
	in, err := p.pool.take(ctx)
	if err != nil {
		return p.counted(m, notTaken(err))
	}
	f := in.entryPoint(e)
	if f == nil {
		p.pool.put(in, useOther)
		return p.counted(m, Outcome{Verdict: Fault, Reason: "the module does not export what it is used as"})
	}
	code, err := in.run(e, f, m, argument, p.config.Limits.Timeout)
	o := in.outcome(e, code, err)
	p.pool.put(in, in.fared(err))
	return p.counted(m, o)
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
	o.Effects = c.effects()
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
func (p *Plugin) Health(ctx context.Context) error {
	if p.kind&Command != 0 {
		return p.streak()
	}
	in, err := p.pool.take(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnhealthy, err)
	}
	if in.health == nil {
		p.pool.put(in, useOther)
		return p.streak()
	}
	code, err := in.run(entryOther, in.health, nil, 0, p.config.Limits.Timeout)
	reason := in.call.reason
	if err != nil {
		reason = joinReason(reason, in.faultText(err))
		p.pool.put(in, useFaulted)
		return fmt.Errorf("%w: %s", ErrUnhealthy, reason)
	}
	p.pool.put(in, useOther)
	if code != 0 {
		return fmt.Errorf("%w: %s", ErrUnhealthy, joinReason(reason, fmt.Sprintf("rmds_health returned %d", code)))
	}
	return p.streak()
}

func (p *Plugin) streak() error {
	if n := p.pool.faultsInRow(); n >= faultsBeforePause {
		return fmt.Errorf("%w: the last %d calls failed", ErrUnhealthy, n)
	}
	return nil
}

// Close waits for the calls under way, calls rmds_stop in every instance and frees the plugin. When ctx ends first, the calls are
// ended, with verdict Fault. Outcomes stay valid. Closing twice does no harm.
func (p *Plugin) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		close(p.closed)
		p.pool.close(ctx)
		p.guest.close(context.WithoutCancel(ctx))
		p.host.leave(p)
	})
	return nil
}
