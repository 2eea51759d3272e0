package router

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// TestEffectsHappenOnceWhenCommitsFail lets two nodes send to one plugin that counts, on a node whose database is full: commits fail until
// another node takes what fills it. Then the count and the emits equal the messages.
func TestEffectsHappenOnceWhenCommitsFail(t *testing.T) {
	h := newFolder(t)
	hub := h.start("node: {id: hub}\ndelivery: {retry_interval: 5ms, max_retry_attempts: 1000, parallel_senders: 2}\n" + `
storage: {max_size: 4MiB}
discovery: {node_offline_timeout: 2s, keepalive_interval: 500ms}
plugins:
  - {name: count, file: WASM/counter.wasm, allow: {emit: [out], kv: true}, limits: {timeout: 10s}}
channels:
  - {name: in, mode: read, consumer: count}
  - {name: out, own: true, consumer: none}
  - {name: junk, mode: write}
`)
	servers := "nats: {servers: [\"" + hub.NATSURL() + "\"]}\n"
	reads := servers + "node: {id: dump}\nchannels: [{name: junk, mode: read, consumer: none}]\n"
	d := newFolder(t)
	dump := d.start(reads)
	noticed(t, hub, "junk")
	closeRouter(t, dump)

	const each = 100
	var edges []*Router
	for i := range 2 {
		f := newFolder(t)
		r := f.start(servers + fmt.Sprintf("node: {id: edge%d}\n", i) + "channels: [{name: in, mode: write}]\n")
		noticed(t, r, "in")
		send(t, r, "in", "first")
		sent(t, r, "in", 1)
		edges = append(edges, r)
	}
	for _, size := range []int{100_000, 2000, 100, 1} {
		noise := make([]byte, size)
		rand.Read(noise)
		for i := 0; trySend(t, hub, "junk", string(noise)) == nil; i++ {
			if i > 5000 {
				t.Fatal("the database never gets full")
			}
		}
	}
	for range each - 1 {
		for _, r := range edges {
			send(t, r, "in", "x")
		}
	}
	eventually(t, func() (bool, string) {
		log := h.log.String()
		return strings.Contains(log, "what the channel's handler writes has no room"), log
	})
	d.start(reads)
	eventually(t, func() (bool, string) { // what is delivered is removed when something needs the room
		err := trySend(t, hub, "junk", "room")
		u, e2 := hub.engine.Status(), error(nil)
		_ = u
		return err == nil, fmt.Sprint(err, e2, hub.Status().Accounts, hub.Status().Inbound)
	})
	for _, r := range edges {
		sent(t, r, "in", each)
	}
	account(t, hub, "out", 2*each)
	if n := counter(t, hub, "count", "n"); n != 2*each {
		t.Errorf("counted %d of %d", n, 2*each)
	}
}
