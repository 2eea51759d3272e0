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
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		b.Fatal(err)
	}
	go s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(patience) {
		b.Fatal("no server")
	}
	connect := func(id string) *rmds.Connection {
		c := rmds.DefaultConfig()
		c.NodeID, c.NATSServers, c.StoragePath = id, []string{s.ClientURL()}, b.TempDir()+"/x.db"
		c.MaxMessagesPerReceiver = rmds.Unlimited
		c.MaxInFlight = 65536
		connection, err := rmds.New(c)
		if err != nil {
			b.Fatal(err)
		}
		return connection
	}
	sender, reader := connect("sender"), connect("reader")
	defer sender.Unsubscribe()
	defer reader.Unsubscribe()
	var handled atomic.Int64
	ch := sender.Join("bench", rmds.WriteOnly)
	if err := reader.Join("bench", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { handled.Add(1); _ = m.Ack() }); err != nil {
		b.Fatal(err)
	}
	if err := ch.SendMessage("first"); err != nil {
		b.Fatal(err)
	}
	for len(sender.Accounts()) == 0 || handled.Load() < 1 {
		time.Sleep(time.Millisecond)
	}
	batch := make([]rmds.Outgoing, 256)
	for i := range batch {
		data := fmt.Appendf(nil, `{"device":"sensor-%05d","temp":%d.%d,"hum":%d,"ts":%d,"status":"ok","note":"`, i%977, 20+i%13, i%10, 40+i%31, 1700000000000+int64(i)*37)
		for len(data) < 128 {
			data = append(data, "abcdefghijklmnopqrstuvwxyz0123456789"[(i*7+len(data)*13)%36])
		}
		batch[i].Data = data[:128]
	}
	b.ResetTimer()
	b.ReportAllocs()
	var failed atomic.Int64
	for n := range b.N {
		ch.SendAsync(batch[n%len(batch)], func(err error) {
			if err != nil {
				failed.Add(1)
			}
		})
	}
	for {
		a := sender.Accounts()[0]
		if a.Pending == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if failed.Load() > 0 {
		b.Fatal("a send failed")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}
