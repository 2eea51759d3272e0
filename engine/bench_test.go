package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	rmds "github.com/getevo/rmds-router/engine"
)

// BenchmarkEndToEnd counts messages of 128 bytes from the send to the sender's record of their acknowledgement.
func BenchmarkEndToEnd(b *testing.B) {
	run := newBenchRun(b)
	var failed atomic.Int64
	b.ResetTimer()
	for n := range b.N {
		run.channel.SendAsync(run.messages[n%len(run.messages)], func(err error) {
			if err != nil {
				failed.Add(1)
			}
		})
	}
	run.drain(b)
	if failed.Load() > 0 {
		b.Fatal("a send failed")
	}
}

// BenchmarkLoneSender is the same with one goroutine that waits for each send to be durable.
func BenchmarkLoneSender(b *testing.B) {
	run := newBenchRun(b)
	b.ResetTimer()
	for n := range b.N {
		if err := run.channel.SendMessage(run.messages[n%len(run.messages)].Data); err != nil {
			b.Fatal(err)
		}
	}
	run.drain(b)
}

// benchRun is a sender and a reader over a NATS server, and messages to send.
type benchRun struct {
	sender   *rmds.Connection
	channel  *rmds.Channel
	messages []rmds.Outgoing
}

func newBenchRun(b *testing.B) *benchRun {
	b.ReportAllocs()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		b.Fatal(err)
	}
	go s.Start()
	b.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(patience) {
		b.Fatal("the NATS server did not start")
	}
	connect := func(id string) *rmds.Connection {
		c := rmds.DefaultConfig()
		c.NodeID, c.NATSServers, c.StoragePath = id, []string{s.ClientURL()}, b.TempDir()+"/bench.db"
		c.MaxMessagesPerReceiver = rmds.Unlimited
		connection, err := rmds.New(c)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = connection.Unsubscribe() })
		return connection
	}
	run := &benchRun{sender: connect("sender"), messages: benchMessages(256)}
	run.channel = run.sender.Join("bench", rmds.WriteOnly)
	if err := connect("reader").Join("bench", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { _ = m.Ack() }); err != nil {
		b.Fatal(err)
	}
	if err := run.channel.SendMessage("first"); err != nil {
		b.Fatal(err)
	}
	run.acknowledged(b)
	return run
}

// benchMessages makes messages that compress about as well as telemetry does.
func benchMessages(n int) []rmds.Outgoing {
	list := make([]rmds.Outgoing, n)
	for i := range list {
		data := fmt.Appendf(nil, `{"device":"sensor-%05d","temp":%d.%d,"hum":%d,"ts":%d,"status":"ok","note":"`, i%977, 20+i%13, i%10, 40+i%31, 1700000000000+int64(i)*37)
		for len(data) < 128 {
			data = append(data, "abcdefghijklmnopqrstuvwxyz0123456789"[(i*7+len(data)*13)%36])
		}
		list[i].Data = data[:128]
	}
	return list
}

// acknowledged waits until the reader has everything, by the sender's record.
func (r *benchRun) acknowledged(b *testing.B) {
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if a := r.sender.Accounts(); len(a) == 1 && a[0].Handled > 0 && a[0].Pending == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatal("not everything was acknowledged")
		}
	}
}

func (r *benchRun) drain(b *testing.B) {
	r.acknowledged(b)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}
