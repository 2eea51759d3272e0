package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// instance is one instantiated guest. One call runs in it at a time. It is the context of its calls, which is how an import finds it.
type instance struct {
	timeLimit
	p   *Plugin
	mod api.Module
	age uint64 // the pool's generation it was made in

	filter, handle, tick, health, stop api.Function

	call  call
	at    string // the import under way, for messages
	stack [1]uint64
	out   lineWriter // stdout
	err   lineWriter // stderr
}

// A guest may take this much longer to start than a call may take, and at least startTimeout.
const (
	startFactor  = 10
	startTimeout = 2 * time.Second
)

// newInstance instantiates and initialises a guest.
func (v *edition) newInstance(age uint64) (*instance, error) {
	p := v.plugin
	in := &instance{p: p, age: age}
	in.open(p.host.watchdog)
	in.out = lineWriter{in: in, stream: "stdout"}
	in.err = lineWriter{in: in, stream: "stderr"}
	in.call.reset(entryOther, nil)
	in.begin(max(startTimeout, startFactor*p.config.Limits.Timeout))
	defer in.end()
	mod, err := v.guest.instantiate(in)
	if err != nil {
		err = p.startProblem(in, "does not start: "+in.faultText(err))
		in.discard()
		return nil, err
	}
	in.mod = mod
	in.filter = mod.ExportedFunction(abi.ExportFilter)
	in.handle = mod.ExportedFunction(abi.ExportHandle)
	in.tick = mod.ExportedFunction(abi.ExportTick)
	in.health = mod.ExportedFunction(abi.ExportHealth)
	in.stop = mod.ExportedFunction(abi.ExportStop)
	if err := in.initialise(mod.ExportedFunction(abi.ExportInit)); err != nil {
		in.discard()
		return nil, err
	}
	p.counts.instances.Add(1)
	return in, nil
}

func (in *instance) initialise(init api.Function) error {
	if init == nil {
		return nil
	}
	in.call.reset(entryInit, nil)
	if err := init.CallWithStack(in, in.stack[:]); err != nil {
		return in.p.startProblem(in, "rmds_init failed: "+in.faultText(err))
	}
	if code := int32(uint32(in.stack[0])); code != 0 {
		return in.p.startProblem(in, fmt.Sprintf("rmds_init refused with %d", code))
	}
	return nil
}

func (p *Plugin) startProblem(in *instance, text string) error {
	if in.call.reason != "" {
		text += ": " + in.call.reason
	}
	return p.config.problem(ErrStart, "%s", text)
}

// run calls an entry point with one argument. A non-nil error is a fault, after which the instance must be discarded.
func (in *instance) run(e entry, f api.Function, m *Message, argument uint64, limit time.Duration) (code int32, err error) {
	in.call.reset(e, m)
	in.stack[0] = argument
	in.begin(limit)
	err = f.CallWithStack(in, in.stack[:])
	in.end()
	if err == nil && in.over() {
		err = errLate
	}
	in.out.flush()
	in.err.flush()
	return int32(uint32(in.stack[0])), err
}

// spent tells whether the instance can take no more calls.
func (in *instance) spent() bool { return in.over() || (in.mod != nil && in.mod.IsClosed()) }

// discard closes the instance; nothing may be running in it.
func (in *instance) discard() {
	in.strike()
	in.shut()
	if in.mod != nil {
		in.mod.Close(context.Background())
	}
}

// retire is the end of a healthy instance: rmds_stop, then close.
func (in *instance) retire() {
	if in.stop != nil && !in.spent() {
		if _, err := in.run(entryOther, in.stop, nil, 0, in.p.config.Limits.Timeout); err != nil {
			in.p.log.Warn().Str("fault", in.faultText(err)).Msg("rmds_stop failed")
		}
	}
	in.discard()
}

// badPointer is what an import panics with when the guest hands it memory that it does not have; wazero turns that into a trap of the call.
type badPointer struct {
	at           string
	p, n, memory uint32
}

func (b badPointer) Error() string {
	return fmt.Sprintf("bad pointer given to %s: %d bytes at %d, the memory has %d", b.at, b.n, b.p, b.memory)
}

// errState is what an import panics with when the store failed: the call ends, without blame to the guest.
var errState = errors.New("state cannot be read")

// errLate is the end of a call whose time ran out in an import, or on the last few instructions.
var errLate = errors.New("time ran out in an import")

// aborted is the trap of a guest that called env.abort.
type aborted struct{ text string }

func (a aborted) Error() string { return a.text }

// faultText says in one line how a call ended: no stack trace, but the guest's function if it is known.
func (in *instance) faultText(err error) string {
	if in.over() || errors.Is(err, errLate) {
		return "out of time"
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return fmt.Sprintf("exited with code %d", exit.ExitCode())
	}
	var pointer badPointer
	var abort aborted
	switch {
	case errors.As(err, &pointer):
		return pointer.Error()
	case errors.As(err, &abort):
		return abort.Error()
	}
	lines := strings.SplitN(err.Error(), "\n", 4)
	text := strings.TrimSuffix(lines[0], " (recovered by wazero)")
	if len(lines) > 2 && strings.HasPrefix(lines[2], "\t") {
		text += " in " + strings.TrimPrefix(strings.TrimSpace(lines[2]), ".")
	}
	return text
}
