package plugins

import (
	"strings"
	"unicode/utf8"

	"github.com/rs/zerolog"
	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

func hostEmitHeader(in *instance, m api.Memory, s []uint64) {
	name, value, c := in.guestBytes(m, s[0], s[1]), in.guestBytes(m, s[2], s[3]), &in.call
	switch {
	case !c.entry.effectful():
		give32(s, abi.Misplaced)
	case !abi.ValidHeaderName(name):
		give32(s, abi.Argument)
	case !c.fits(int64(len(name)+len(value)), in.p.config.Limits.Effects):
		give32(s, abi.Limit)
	default:
		c.overhead += effectOverhead
		c.headers = append(c.headers, pair{name: c.keep(name), value: c.keep(value)})
		give32(s, abi.OK)
	}
}

// hostEmit uses up the headers and options given for it whether it succeeds or not, so that they never reach another emit.
func hostEmit(in *instance, m api.Memory, s []uint64) {
	channel, body, c := in.guestBytes(m, s[0], s[1]), in.guestBytes(m, s[2], s[3]), &in.call
	switch {
	case !c.entry.effectful():
		give32(s, abi.Misplaced)
		return
	case !abi.ValidChannel(channel):
		give32(s, abi.Argument)
	case !in.p.mayEmit(channel):
		give32(s, abi.Denied)
	case len(c.emits) >= in.p.config.Limits.Emits || !c.fits(int64(len(channel)+len(body)), in.p.config.Limits.Effects):
		give32(s, abi.Limit)
	default:
		c.overhead += effectOverhead
		c.emits = append(c.emits, emitted{c.keep(channel), c.keep(body), c.pending, len(c.headers), c.ttl, c.delay})
		c.pending = len(c.headers)
		give32(s, abi.OK)
	}
	c.headers = c.headers[:c.pending]
	c.ttl, c.delay = 0, 0
}

// hostLog is immediate: what was logged stays logged, whatever becomes of the call.
func hostLog(in *instance, m api.Memory, s []uint64) {
	text := in.guestBytes(m, s[1], s[2])
	level := zerolog.InfoLevel
	switch uint32(s[0]) {
	case abi.LevelDebug:
		level = zerolog.DebugLevel
	case abi.LevelWarn:
		level = zerolog.WarnLevel
	case abi.LevelError:
		level = zerolog.ErrorLevel
	}
	in.line(level, "", text)
}

func hostStat(in *instance, m api.Memory, s []uint64) {
	if name := in.guestBytes(m, s[0], s[1]); abi.ValidStatName(name) {
		in.p.counts.add(name, int64(s[2]))
	}
}

// maxReason is how many bytes of a reason are kept.
const maxReason = 1024

func hostFail(in *instance, m api.Memory, s []uint64) {
	in.call.reason = cleanText(in.guestBytes(m, s[0], s[1]), maxReason)
}

// cleanText is b as UTF-8 of at most n bytes.
func cleanText(b []byte, n int) string {
	if len(b) > n {
		b = b[:n]
		for len(b) > 0 && n-len(b) < utf8.UTFMax && !utf8.Valid(b) {
			b = b[:len(b)-1] // a rune that the cut went through
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
