package plugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// runCommand runs a WASI program on one message: the body on its standard input, the rest of the message in its environment, its exit code the verdict. What it
// writes to standard output is the new body of a filtered message; of a handled one it is emitted to the channel that the plugin is granted, if it is granted exactly one.
func (v *edition) runCommand(ctx context.Context, e entry, m *Message) (o Outcome, closed bool) {
	if err := v.pool.slot(ctx); err != nil {
		return notTaken(err), errors.Is(err, ErrClosed)
	}
	defer v.pool.giveSlot()
	p := v.plugin
	in := &instance{p: p}
	in.open(p.host.watchdog)
	defer in.shut()
	in.err = lineWriter{in: in, stream: "stderr"}
	in.call.reset(e, m)
	out := &boundedBuffer{limit: int(p.config.Limits.Effects)}
	config := v.guest.config.
		WithStdin(bytes.NewReader(m.Body)).WithStdout(out).WithStderr(&in.err).WithNanosleep(in.sleep)
	for _, v := range environment(m) {
		config = config.WithEnv(v.Name, v.Value)
	}
	p.counts.instances.Add(1)
	in.begin(p.config.Limits.Timeout)
	mod, err := v.guest.enter(in, config, abi.ExportStart)
	in.end()
	if err == nil && in.over() {
		err = errLate
	}
	in.err.flush()
	if mod != nil {
		mod.Close(context.WithoutCancel(ctx))
	}
	code := int32(0)
	var exit *sys.ExitError
	if errors.As(err, &exit) && !in.over() {
		code, err = int32(exit.ExitCode()), nil
	}
	if err == nil && out.over {
		err = fmt.Errorf("wrote more than %d bytes", out.limit)
	}
	o = in.outcome(e, code, err)
	switch {
	case o.Verdict == Pass && e == entryFilter:
		o.Body, o.Changed = out.b, !bytes.Equal(out.b, m.Body)
	case o.Verdict == Pass && len(out.b) > 0:
		if channel, ok := p.onlyChannel(); ok {
			o.Effects.Emits = []Emit{{Channel: channel, Body: out.b}}
		}
	}
	return o, false
}

// onlyChannel is the channel granted, if it is just one.
func (p *Plugin) onlyChannel() (string, bool) {
	if granted := p.config.Allow.Emit; len(granted) == 1 && granted[0] != "*" {
		return granted[0], true
	}
	return "", false
}

// environment is a message without its body as environment variables. A header's name is put in capitals, with _ for what is neither letter nor digit; the first of
// two that come out alike wins.
func environment(m *Message) []Header {
	vars := []Header{
		{"RMDS_ID", m.ID}, {"RMDS_CHANNEL", m.Channel}, {"RMDS_SENDER", m.Sender}, {"RMDS_ATTEMPT", strconv.Itoa(m.Attempt)},
		{"RMDS_SEQ", strconv.FormatUint(m.Seq, 10)}, {"RMDS_CREATED_MS", strconv.FormatInt(m.Created, 10)},
		{"RMDS_EXPIRES_MS", strconv.FormatInt(m.Expires, 10)}, {"RMDS_LAST_ERROR", m.LastError},
	}
	seen := make(map[string]bool)
	for _, h := range m.Headers {
		name := "RMDS_HEADER_" + strings.Map(envLetter, h.Name)
		if !seen[name] {
			seen[name] = true
			vars = append(vars, Header{name, h.Value})
		}
	}
	for i := range vars {
		vars[i].Value = strings.ReplaceAll(vars[i].Value, "\x00", "")
	}
	return vars
}

func envLetter(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	case (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9'):
		return r
	}
	return '_'
}

// boundedBuffer takes up to limit bytes and refuses the rest.
type boundedBuffer struct {
	b     []byte
	limit int
	over  bool
}

func (w *boundedBuffer) Write(b []byte) (int, error) {
	if len(w.b)+len(b) > w.limit {
		w.over = true
		return 0, errors.New("output limit reached")
	}
	w.b = append(w.b, b...)
	return len(b), nil
}
