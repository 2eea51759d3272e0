package bench

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	peerStream  = "BENCH"
	peerSubject = "bench"
	// Between 1,024 and 32,768 this served the peer best, with one receiver and with three; 32,768 halved its rate with three.
	peerMaxPending = 8192 // published and not yet accepted, when batched
	peerInFlight   = 8192 // delivered and not yet acknowledged, per consumer
)

// JetStream returns the peer: a stream in a file without replicas, on a server in this process, reached over TCP; one durable pull
// consumer a receiver, which acknowledges each message. With syncAlways the server syncs the file before it accepts a message, which is
// what the engine does; without, as it comes, every two minutes: what was accepted since is lost in a power cut.
func JetStream(syncAlways bool) Subject {
	return peer{syncAlways: syncAlways}
}

type peer struct{ syncAlways bool }

func (p peer) Name() string {
	if p.syncAlways {
		return "JetStream SyncAlways"
	}
	return "JetStream default"
}

func (p peer) Run(ctx context.Context, c Case) (result Result, err error) {
	pay, tallies, err := newTallies(c)
	if err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp(c.Dir, "rmds-bench-jetstream-")
	if err != nil {
		return Result{}, fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := startServer(server.Options{JetStream: true, StoreDir: dir, SyncAlways: p.syncAlways})
	if err != nil {
		return Result{}, err
	}
	defer stopServer(s)

	out, err := openPeerSender(ctx, s)
	if err != nil {
		return Result{}, err
	}
	defer out.conn.Close()
	consumers := make([]jetstream.Consumer, len(tallies))
	for i, t := range tallies {
		consumer, stop, err := consume(ctx, s, fmt.Sprintf("receiver-%d", i+1), t)
		if err != nil {
			return Result{}, fmt.Errorf("receiver %d: %w", i+1, err)
		}
		defer stop()
		consumers[i] = consumer
	}
	l := &load{c: c, payload: pay, sender: out, receivers: tallies, recorded: func(ctx context.Context, n int) error {
		return peerRecorded(ctx, consumers, n)
	}}
	return l.run(ctx)
}

// peerRecorded returns when the server has on record that every consumer acknowledged n messages.
func peerRecorded(ctx context.Context, consumers []jetstream.Consumer, n int) error {
	for i, consumer := range consumers {
		err := until(ctx, func() (bool, error) {
			info, err := consumer.Info(ctx)
			if err != nil {
				return false, err
			}
			return info.AckFloor.Stream >= uint64(n) && info.NumAckPending == 0, nil
		})
		if err != nil {
			return fmt.Errorf("consumer %d: %w", i+1, err)
		}
	}
	return nil
}

// consume attaches a receiver on a connection of its own; stop ends it and waits.
func consume(ctx context.Context, s *server.Server, name string, t *tally) (jetstream.Consumer, func(), error) {
	conn, err := dial(s)
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	consumer, err := js.CreateConsumer(ctx, peerStream, jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: peerInFlight,
	})
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("create consumer: %w", err)
	}
	running, err := consumer.Consume(func(m jetstream.Msg) {
		t.take(m.Data())
		if err := m.Ack(); err != nil {
			t.fault.CompareAndSwap(nil, &err)
		}
	}, jetstream.PullMaxMessages(peerInFlight))
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("consume: %w", err)
	}
	stop := func() {
		running.Stop()
		<-running.Closed()
		conn.Close()
	}
	return consumer, stop, nil
}

// peerSender publishes to the stream.
type peerSender struct {
	conn  *nats.Conn
	js    jetstream.JetStream
	fault atomic.Pointer[error]
}

func openPeerSender(ctx context.Context, s *server.Server) (*peerSender, error) {
	conn, err := dial(s)
	if err != nil {
		return nil, err
	}
	p := &peerSender{conn: conn}
	p.js, err = jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(peerMaxPending),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			p.fault.CompareAndSwap(nil, &err)
		}))
	if err == nil {
		_, err = p.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: peerStream, Subjects: []string{peerSubject}, Storage: jetstream.FileStorage, Replicas: 1,
		})
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("create stream: %w", err)
	}
	return p, nil
}

func (p *peerSender) send(ctx context.Context, data []byte) error {
	_, err := p.js.Publish(ctx, peerSubject, data)
	return err
}

func (p *peerSender) queue(_ context.Context, data []byte) error {
	_, err := p.js.PublishAsync(peerSubject, data, jetstream.WithStallWait(stalled))
	return err
}

func (p *peerSender) flush(ctx context.Context) error {
	timer := time.NewTimer(stalled)
	defer timer.Stop()
	select {
	case <-p.js.PublishAsyncComplete():
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("%w for %s: %d messages not accepted", ErrStalled, stalled, p.js.PublishAsyncPending())
	}
	if fault := p.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}
