package plugins

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// kvRefusal is why a kv function cannot be used on this key now, or OK.
func (in *instance) kvRefusal(key []byte) int32 {
	switch {
	case in.p.overlay == nil:
		return abi.Denied
	case !in.call.entry.effectful():
		return abi.Misplaced
	case len(key) == 0:
		return abi.Argument
	case len(key) > in.p.config.Limits.Key:
		return abi.Limit
	}
	return abi.OK
}

func hostKVGet(in *instance, m api.Memory, s []uint64) {
	key := in.guestBytes(m, s[0], s[1])
	if code := in.kvRefusal(key); code != abi.OK {
		give32(s, code)
		return
	}
	if value := in.lookup(key); value != nil {
		deliver(in, m, s, value, 0, s[2], s[3])
		return
	}
	give32(s, abi.Absent)
}

func hostKVSet(in *instance, m api.Memory, s []uint64) {
	key, value := in.guestBytes(m, s[0], s[1]), in.guestBytes(m, s[2], s[3])
	code := in.kvRefusal(key)
	if code == abi.OK && (len(value) > in.p.config.Limits.Value || !in.call.set(key, value, in.p.config.Limits.Effects)) {
		code = abi.Limit
	}
	give32(s, code)
}

func hostKVDel(in *instance, m api.Memory, s []uint64) {
	key := in.guestBytes(m, s[0], s[1])
	code := in.kvRefusal(key)
	if code == abi.OK && !in.call.del(key, in.p.config.Limits.Effects) {
		code = abi.Limit
	}
	give32(s, code)
}

func hostKVAdd(in *instance, m api.Memory, s []uint64) {
	key, delta := in.guestBytes(m, s[0], s[1]), int64(s[2])
	if code := in.kvRefusal(key); code != abi.OK {
		give64(s, abi.AddError(code))
		return
	}
	var n int64
	if value := in.lookup(key); value != nil {
		var ok bool
		if n, ok = abi.Counter(value); !ok {
			give64(s, abi.AddError(abi.Argument))
			return
		}
	}
	sum, ok := abi.Add(n, delta)
	var b [8]byte
	if !ok || !in.call.set(key, abi.AppendCounter(b[:0], sum), in.p.config.Limits.Effects) {
		give64(s, abi.AddError(abi.Limit))
		return
	}
	give64(s, sum)
}

func hostKVNext(in *instance, m api.Memory, s []uint64) {
	after := in.guestBytes(m, s[0], s[1])
	code := in.kvRefusal(after)
	if len(after) == 0 && code == abi.Argument { // the start
		code = abi.OK
	}
	if code != abi.OK {
		give32(s, code)
		return
	}
	if key, ok := in.nextKey(string(after)); ok {
		deliver(in, m, s, key, 0, s[2], s[3])
		return
	}
	give32(s, abi.Absent)
}

// lookup is a key's value as this call sees it, nil if it is absent: the call's own write, else that of the latest call not known to be durable, else
// what is durable.
func (in *instance) lookup(key []byte) []byte {
	if own, ok := in.call.writes.find(key); ok {
		if own.deleted {
			return nil
		}
		return nonNil(in.call.bytes(own.value))
	}
	if value, known := in.p.overlay.get(key); known {
		return value
	}
	value, ok, err := in.p.host.options.State.Get(in.p.config.Name, key)
	if err != nil {
		in.stateFailed(err)
	}
	if !ok {
		value = nil
	} else {
		value = nonNil(value)
	}
	in.p.overlay.remember(string(key), value)
	return value
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// nextKey is the smallest present key above after, from the same three places.
func (in *instance) nextKey(after string) (string, bool) {
	for {
		if in.struck.Load() {
			panic(errLate)
		}
		next, found := in.call.writes.above(after)
		if key, ok := in.p.overlay.above(after); ok && (!found || key < next) {
			next, found = key, true
		}
		var from []byte
		if after != "" {
			from = []byte(after)
		}
		durable, ok, err := in.p.host.options.State.Next(in.p.config.Name, from)
		if err != nil {
			in.stateFailed(err)
		}
		if ok && string(durable) <= after {
			in.stateFailed(fmt.Errorf("key after %q is %q", after, durable))
		}
		if ok && (!found || string(durable) < next) {
			next, found = string(durable), true
		}
		if !found {
			return "", false
		}
		if in.lookup([]byte(next)) != nil {
			return next, true
		}
		after = next // deleted, but not durably
	}
}

func (in *instance) stateFailed(err error) {
	in.call.stateErr = err
	panic(errState)
}
