package bench

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startServer starts a NATS server in this process on a free loopback port. The caller shuts it down with stopServer.
func startServer(options server.Options) (*server.Server, error) {
	options.Host, options.Port = "127.0.0.1", server.RANDOM_PORT
	options.NoLog, options.NoSigs = true, true
	s, err := server.NewServer(&options)
	if err != nil {
		return nil, fmt.Errorf("start a NATS server: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		stopServer(s)
		return nil, errors.New("start a NATS server: not ready after 10 s")
	}
	return s, nil
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// dial connects over TCP, as a program of its own would.
func dial(s *server.Server) (*nats.Conn, error) {
	c, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(0))
	if err != nil {
		return nil, fmt.Errorf("connect to the NATS server: %w", err)
	}
	return c, nil
}
