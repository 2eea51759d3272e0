package rmds

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"strings"
	"time"
)

// Option shapes an emit.
type Option func() int32

// TTL is how long the emitted message lives, in whole milliseconds; without it the channel's usual time.
func TTL(d time.Duration) Option { return func() int32 { return hostOpt(optTTL, d.Milliseconds()) } }

// Delay is how long to wait before the message is sent, in whole milliseconds.
func Delay(d time.Duration) Option {
	return func() int32 { return hostOpt(optDelay, d.Milliseconds()) }
}

// WithHeader puts a header on the emitted message.
func WithHeader(name, value string) Option {
	return func() int32 { return hostEmitHeader(name, value) }
}

// Emit sends a message when the call commits; the plugin must be granted the channel. After an error nothing is sent, but the call may go on.
func Emit(channel string, body []byte, options ...Option) error {
	for _, option := range options {
		if code := option(); code < 0 {
			hostEmit("", nil) // illegal, and so takes back the options that were accepted
			return check("emit to "+channel, code)
		}
	}
	return check("emit to "+channel, hostEmit(channel, body))
}

// Get is the value of a key, nil if it is absent; a present value is never nil.
func Get(key string) ([]byte, error) {
	b, code := fill(func(buf []byte) int32 { return hostKVGet(key, buf) })
	if code == absent {
		return nil, nil
	}
	return b, check("get "+key, code)
}

// Set stores a value under a key.
func Set(key string, value []byte) error { return check("set "+key, hostKVSet(key, value)) }

// Delete removes a key, present or not.
func Delete(key string) error { return check("delete "+key, hostKVDel(key)) }

// Add adds to a counter and gives the sum. An absent key counts from zero; a counter is eight bytes, little-endian. A sum that 64 bits cannot hold is
// ErrLimit, a value that is no counter ErrArgument; then nothing changes.
func Add(key string, delta int64) (int64, error) {
	n := hostKVAdd(key, delta)
	if n < minCounter {
		return 0, check("add to "+key, int32(math.MinInt64-n))
	}
	return n, nil
}

// SetCounter stores a number as Add does.
func SetCounter(key string, n int64) error {
	return Set(key, binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// Next is the smallest key above after, in byte order; "" starts at the first. Its error is ErrAbsent when there is none.
func Next(after string) (string, error) {
	b, code := fill(func(buf []byte) int32 { return hostKVNext(after, buf) })
	return string(b), check("next key", code)
}

// Keys are all keys that start with prefix, in byte order. The error ends the sequence.
func Keys(prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		key := prefix
		if prefix != "" {
			value, err := Get(prefix)
			if err != nil || (value != nil && !yield(prefix, nil)) {
				yieldError(yield, err)
				return
			}
		}
		for {
			next, err := Next(key)
			if errors.Is(err, ErrAbsent) || (err == nil && !strings.HasPrefix(next, prefix)) {
				return
			}
			if err != nil || !yield(next, nil) {
				yieldError(yield, err)
				return
			}
			key = next
		}
	}
}

func yieldError(yield func(string, error) bool, err error) {
	if err != nil {
		yield("", err)
	}
}

// Level of a log line.
type Level int32

// The levels.
const (
	Debug Level = 0
	Info  Level = 1
	Warn  Level = 2
	Error Level = 3
)

// Log writes to the router's log at once, whatever becomes of the call.
func Log(level Level, text string) { hostLog(int32(level), text) }

// Stat adds to a counter that the router's metrics show, at once, whatever becomes of the call.
func Stat(name string, delta int64) { hostStat(name, delta) }

// Fail leaves the reason that goes with the verdict.
func Fail(reason string) { hostFail(reason) }

// Config is the plugin's configuration as JSON.
func Config() []byte {
	b, _ := fill(func(buf []byte) int32 { return hostRead(fieldConfig, 0, buf) })
	return b
}

// Name is the plugin's configured name.
func Name() string { return readText(fieldPlugin) }

// NodeInfo is JSON with statistics, nodes and topology, if granted.
func NodeInfo() ([]byte, error) {
	b, code := fill(func(buf []byte) int32 { return hostRead(fieldNodeInfo, 0, buf) })
	return b, check("node info", code)
}

// Now is the router's time. The package time works as well.
func Now() time.Time { return time.UnixMilli(hostNum(numNow)) }

// Left is how long the call under way may still take.
func Left() time.Duration { return time.Duration(max(0, hostNum(numLeft))) * time.Millisecond }
