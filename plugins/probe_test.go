package plugins_test

import (
	"encoding/binary"
	"testing"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// The imports by their number in testdata/probe.wat, and its own instructions.
const (
	fnRead = iota
	fnNum
	fnHeader
	fnSet
	fnSetHeader
	fnEmitHeader
	fnOpt
	fnEmit
	fnKVGet
	fnKVSet
	fnKVDel
	fnKVAdd
	fnKVNext
	fnLog
	fnStat
	fnFail
	fnEnd    = 97
	fnReturn = 99
)

// memorySize is the guest's memory, loadedAt is where the body lies in it.
const (
	memorySize = 4 * 65536
	loadedAt   = 65536
	recordSize = 48
)

// script is a body for the probe: calls, then the bytes that they refer to.
type script struct {
	calls [][6]int64
	data  []byte
}

// do appends a call and returns its number.
func (s *script) do(fn int64, arguments ...int64) int {
	record := [6]int64{fn}
	copy(record[1:], arguments)
	s.calls = append(s.calls, record)
	return len(s.calls) - 1
}

// Data is placed behind room for this many records.
const dataAt = loadedAt + 200*recordSize

// text puts a string into the guest's memory and gives its place and length.
func (s *script) text(v string) (at, n int64) {
	at = dataAt + int64(len(s.data))
	s.data = append(s.data, v...)
	return at, int64(len(v))
}

// room reserves zero bytes.
func (s *script) room(n int) int64 {
	at, _ := s.text(string(make([]byte, n)))
	return at
}

func (s *script) body() []byte {
	calls := s.calls
	if len(calls) == 0 || calls[len(calls)-1][0] != fnReturn {
		calls = append(calls, [6]int64{fnEnd})
	}
	b := make([]byte, dataAt-loadedAt, dataAt-loadedAt+len(s.data))
	for i, record := range calls {
		binary.LittleEndian.PutUint32(b[i*recordSize:], uint32(record[0]))
		for k, v := range record[1:] {
			binary.LittleEndian.PutUint64(b[i*recordSize+8+8*k:], uint64(v))
		}
	}
	return append(b, s.data...)
}

// answers is what the probe's memory held at the end: results of calls and what was read.
type answers struct{ b []byte }

func (a answers) result(call int) int64 {
	return int64(binary.LittleEndian.Uint64(a.b[call*recordSize+40:]))
}

func (a answers) bytes(at, n int64) string { return string(a.b[at-loadedAt : at-loadedAt+n]) }

// answersOf takes the probe's memory out of an outcome: the last emit.
func answersOf(t *testing.T, o plugins.Outcome) answers {
	t.Helper()
	if len(o.Effects.Emits) == 0 {
		t.Fatalf("no emit with answers: %s, %s", o.Verdict, o.Reason)
	}
	return answers{o.Effects.Emits[len(o.Effects.Emits)-1].Body}
}

// message is a script's message with every field set.
func (s *script) message() plugins.Message {
	return plugins.Message{
		ID: "id-1", Channel: "in", Sender: "node-7", Body: s.body(),
		Headers: []plugins.Header{{Name: "a", Value: "1"}, {Name: "b", Value: ""}, {Name: "a", Value: "2"}},
		Created: 1000, Expires: 2000, Seq: 1 << 40, Attempt: 3, LastError: "before",
	}
}

// filter runs a script as a filter of a fresh plugin.
func (s *script) filter(t *testing.T, change func(*plugins.Config)) plugins.Outcome {
	t.Helper()
	c := fixture("probe")
	c.Config = []byte(`{"k":1}`)
	if change != nil {
		change(&c)
	}
	return pluginstest.Run(t, c, s.message())[0]
}

// handle runs scripts as messages of one handler, with their effects committed, and gives the outcomes.
func handle(t *testing.T, h *pluginstest.Harness, p *plugins.Plugin, scripts ...*script) []plugins.Outcome {
	t.Helper()
	var outcomes []plugins.Outcome
	for _, s := range scripts {
		m := s.message()
		o := p.Handle(t.Context(), &m)
		h.Commit(p, o)
		outcomes = append(outcomes, o)
	}
	return outcomes
}
