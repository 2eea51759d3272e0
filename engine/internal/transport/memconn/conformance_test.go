package memconn_test

import (
	"testing"

	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/transport/transporttest"
)

type network struct{ *memconn.Network }

func (n network) Dial(name string) transport.Conn {
	n.Deny(name, transporttest.DeniedToken+".>")
	if name == transporttest.SmallQueue {
		n.SetQueue(50)
	}
	return n.Network.Dial(name)
}

func TestConformance(t *testing.T) {
	transporttest.Run(t, func(*testing.T) transporttest.Network {
		n := memconn.NewNetwork(1)
		n.Down()
		return network{n}
	})
}
