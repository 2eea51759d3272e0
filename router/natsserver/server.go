// Package natsserver runs a NATS server inside the router, for nodes that have none to connect to.
package natsserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/router/config"
)

// readyTimeout bounds how long the server may take to accept connections.
const readyTimeout = 10 * time.Second

// ErrListen means the server cannot listen at its address.
var ErrListen = errors.New("the embedded NATS server cannot listen")

// Options of an embedded server.
type Options struct {
	// Listen is host:port; port 0 takes a free one.
	Listen string
	// Name shows in the server's own information.
	Name string
	// User and Password, or Token, are required of every client when set. Without them the address must be on the
	// loopback interface.
	User, Password, Token string
	// Logger gets what the server reports.
	Logger zerolog.Logger
}

// Server is a running server. JetStream is off: it only carries frames.
type Server struct {
	server *server.Server
	log    *logger
}

// Start runs a server and returns once it accepts connections. It never handles signals or ends the process.
func Start(o Options) (*Server, error) {
	options, err := o.server()
	if err != nil {
		return nil, err
	}
	if err := probe(o.Listen); err != nil {
		return nil, err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("start the embedded NATS server: %w", err)
	}
	log := &logger{log: o.Logger, fatal: make(chan string, 1)}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if err := ready(s, log); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return &Server{server: s, log: log}, nil
}

func (o Options) server() (*server.Options, error) {
	host, portText, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: nats.embedded.listen: %q is not host:port", ErrListen, o.Listen)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%w: nats.embedded.listen: %q has no port number", ErrListen, o.Listen)
	}
	if !config.Loopback(host) && o.Token == "" && (o.User == "" || o.Password == "") {
		return nil, fmt.Errorf("%w: nats.embedded.listen: %s is open to other machines without credentials: set nats.auth.user and nats.auth.password, or listen on 127.0.0.1", ErrListen, o.Listen)
	}
	number := int(port)
	if number == 0 {
		number = server.RANDOM_PORT
	}
	return &server.Options{
		ServerName: o.Name, Host: host, Port: number, NoSigs: true, JetStream: false,
		Username: o.User, Password: o.Password, Authorization: o.Token,
		MaxPayload: server.MAX_PAYLOAD_SIZE, PingInterval: 30 * time.Second,
	}, nil
}

// probe listens once, so that a taken port gives an error with a way out before anything has started.
func probe(address string) error {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l.Close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: nats.embedded.listen: %s is taken by another program: choose another port, or set nats.servers to the NATS server that runs there", ErrListen, address)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%w: nats.embedded.listen: %s: %w: choose another address", ErrListen, address, err)
}

// ready waits until the server accepts connections or says why it will not.
func ready(s *server.Server, log *logger) error {
	accepted := make(chan bool, 1)
	go func() { accepted <- s.ReadyForConnections(readyTimeout) }()
	select {
	case ok := <-accepted:
		if ok {
			return nil
		}
	case text := <-log.fatal:
		s.Shutdown() // lets the wait above end
		<-accepted
		return fmt.Errorf("%w: nats.embedded.listen: %s", ErrListen, text)
	}
	return fmt.Errorf("%w: nats.embedded.listen: it did not accept connections within %s", ErrListen, readyTimeout)
}

// URL is the address for clients on this machine, without credentials.
func (s *Server) URL() string { return s.server.ClientURL() }

// InProcess makes a client connect without the network. The client still needs the server's credentials.
func (s *Server) InProcess() nats.Option { return nats.InProcessServer(s.server) }

// Close disconnects every client, stops the server and waits until it has stopped.
func (s *Server) Close() {
	s.log.quiet.Store(true)
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
