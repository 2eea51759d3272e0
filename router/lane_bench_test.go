package router

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/getevo/rmds-router/router/admin"
)

// BenchmarkLane sends messages of 256 bytes from an edge to a hub: without plugins, and through a filter and a handler in C.
// The handler emits each message to another channel, which is work that the plain lane does not have.
func BenchmarkLane(b *testing.B) {
	for _, c := range []struct{ name, channel string }{
		{"plain", "{name: in, mode: read, consumer: none}"},
		{"filter", "{name: in, mode: read, inbound: [f], consumer: none}"},
		{"filter and handler", "{name: in, mode: read, inbound: [f], consumer: h}"},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkLane(b, c.channel) })
	}
}

func benchmarkLane(b *testing.B, channel string) {
	h, e := newFolder(b), newFolder(b)
	hub := h.start(`
node: {id: hub}
plugins:
  - {name: f, file: WASM/../../examples/plugins/redact/redact.wasm, config: {fields: [card]}}
  - {name: h, file: WASM/change.wasm, allow: {emit: [out]}}
channels:
  - ` + channel + `
  - {name: out, own: true, consumer: none}
`)
	edge := e.start("node: {id: edge}\nnats: {servers: [\"" + hub.NATSURL() + "\"]}\nchannels: [{name: in, mode: write}]\n")
	noticed(b, edge, "in")
	body := []byte(fmt.Sprintf(`{"name":"a","card":"1234","text":"%0210d"}`, 7))
	before := int64(0)
	for b.Loop() {
		const senders, each = 32, 250
		began := time.Now()
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				for range each {
					if _, err := edge.Send(b.Context(), "in", admin.Outgoing{Data: body}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		before += senders * each
		sent(b, edge, "in", before)
		b.ReportMetric(senders*each/time.Since(began).Seconds(), "messages/s")
	}
}
