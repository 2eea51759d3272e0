package engine_test

import (
	"context"
	"testing"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// wires is a network in memory whose frames a test can look at.
type wires struct {
	*memconn.Network
	sent func(node, subject string, data []byte)      // called for each frame that a node publishes; may be nil
	lose func(node, subject string, data []byte) bool // tells whether the frame is lost; may be nil
}

func (w *wires) connect(t *testing.T, id string, c *rmds.Config) *rmds.Connection {
	t.Helper()
	disk := crashvfs.New(uint64(len(id)))
	h := &harness.Harness{VFS: disk.Name(), Dial: func(node string) transport.Conn { return &wire1{w.Dial(node), w, node} }}
	connection, err := rmds.New(c, rmds.SetID(id), rmds.SetStoragePath("node.db"), rmds.SetHarness(h))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := connection.Close(ctx); err != nil {
			t.Errorf("close %s: %v", id, err)
		}
		disk.Close()
	})
	return connection
}

// wire1 is one node's connection.
type wire1 struct {
	transport.Conn
	wires *wires
	node  string
}

func (c *wire1) Publish(subject string, data []byte) error {
	if c.wires.sent != nil {
		c.wires.sent(c.node, subject, data)
	}
	if c.wires.lose != nil && c.wires.lose(c.node, subject, data) {
		return nil
	}
	return c.Conn.Publish(subject, data)
}

// parseData returns a data frame, nil for any other.
func parseData(data []byte) *wire.Data {
	d, err := wire.ParseData(data)
	if err != nil {
		return nil
	}
	return d
}
