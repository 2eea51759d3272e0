package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"

	rmds "github.com/getevo/rmds-router/engine"
)

const engineChannel = "bench"

// Engine returns the engine with its own defaults: a node that sends and a node for each receiver, all in this process, each with a
// database of its own that syncs every commit, reached over TCP through a plain NATS server that keeps nothing.
func Engine() Subject { return engine{} }

type engine struct{}

func (engine) Name() string { return "RMDS" }

func (engine) Run(ctx context.Context, c Case) (result Result, err error) {
	pay, tallies, err := newTallies(c)
	if err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp(c.Dir, "rmds-bench-engine-")
	if err != nil {
		return Result{}, fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := startServer(server.Options{})
	if err != nil {
		return Result{}, err
	}
	defer stopServer(s)

	nodes := engineNodes{url: s.ClientURL(), dir: dir}
	defer func() { err = errors.Join(err, nodes.close()) }()
	for i, t := range tallies {
		channel, err := nodes.join(fmt.Sprintf("receiver-%d", i+1), rmds.ReadOnly)
		if err != nil {
			return Result{}, err
		}
		if err := channel.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
			t.take(m.Data)
			return rmds.Result{Verdict: rmds.Ack}
		}); err != nil {
			return Result{}, fmt.Errorf("receiver %d: %w", i+1, err)
		}
	}
	channel, err := nodes.join("sender", rmds.WriteOnly)
	if err != nil {
		return Result{}, err
	}
	from := nodes.connections[len(nodes.connections)-1]
	out := &engineSender{channel: channel}
	out.accepted = func(err error) {
		if err != nil {
			out.fault.CompareAndSwap(nil, &err)
		}
		out.done.Add(1)
	}
	l := &load{c: c, payload: pay, sender: out, receivers: tallies, recorded: func(ctx context.Context, n int) error {
		return until(ctx, func() (bool, error) { return engineRecorded(from.Accounts(), c.Receivers, uint64(n)) })
	}}
	return l.run(ctx)
}

// engineRecorded tells whether the sender has on record that every receiver handled all n messages; it fails if
// one of them ended in any other way.
func engineRecorded(accounts []rmds.Account, receivers int, n uint64) (bool, error) {
	settled := 0
	for _, a := range accounts {
		if a.Channel != engineChannel {
			continue
		}
		if a.Accepted != a.Handled+a.Pending {
			return false, fmt.Errorf("%w: the sender's account of %s is %+v", ErrDelivery, a.Reader, a)
		}
		if a.Handled == n && a.Pending == 0 {
			settled++
		}
	}
	return settled == receivers, nil
}

// engineNodes are the connections of one run.
type engineNodes struct {
	url, dir    string
	connections []*rmds.Connection
}

func (e *engineNodes) join(id string, mode rmds.Mode) (*rmds.Channel, error) {
	config := rmds.DefaultConfig()
	config.NodeID = id
	config.NATSServers = []string{e.url}
	config.StoragePath = filepath.Join(e.dir, id+".db")
	config.MaxMessagesPerReceiver = rmds.Unlimited // the load has its own bound, the same for every subject
	connection, err := rmds.New(config)
	if err != nil {
		return nil, fmt.Errorf("open node %s: %w", id, err)
	}
	e.connections = append(e.connections, connection)
	channel, err := connection.JoinChannel(engineChannel, mode)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", id, err)
	}
	return channel, nil
}

// close ends the sender first, so that its goodbye finds the receivers.
func (e *engineNodes) close() error {
	var errs []error
	for i := len(e.connections) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		if err := e.connections[i].Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close node %s: %w", e.connections[i].NodeID(), err))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// engineSender sends on the channel.
type engineSender struct {
	channel  *rmds.Channel
	accepted func(error)
	queued   atomic.Int64
	done     atomic.Int64
	fault    atomic.Pointer[error]
}

func (e *engineSender) send(ctx context.Context, data []byte) error {
	_, err := e.channel.Send(ctx, rmds.Outgoing{Data: data})
	return err
}

func (e *engineSender) queue(_ context.Context, data []byte) error {
	e.queued.Add(1)
	e.channel.SendAsync(rmds.Outgoing{Data: data}, e.accepted)
	return nil
}

func (e *engineSender) flush(ctx context.Context) error {
	err := until(ctx, func() (bool, error) { return e.done.Load() == e.queued.Load(), nil })
	if fault := e.fault.Load(); fault != nil {
		return *fault
	}
	return err
}
