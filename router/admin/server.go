package admin

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// ErrListen means the API cannot listen at its address.
var ErrListen = errors.New("the HTTP API cannot listen")

// The bounds of one request, beside the size of its body.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = time.Minute
	maxHeader     = 64 << 10
	maxStreams    = 64
)

// Options of a server.
type Options struct {
	// Listen is host:port on the loopback interface; port 0 takes a free one.
	Listen string
	// MaxBody bounds a message, in bytes.
	MaxBody int64
	Logger  zerolog.Logger
}

// Server is a listening API.
type Server struct {
	http     *http.Server
	listener net.Listener
	stop     context.CancelFunc
	served   chan error
}

// Listen takes the address, so that a taken one is known before anything else starts. Requests wait until Serve.
func Listen(o Options) (*Server, error) {
	if !loopbackAddress(o.Listen) {
		return nil, fmt.Errorf("%w: http.listen: %s is not on the loopback interface: use 127.0.0.1:8420 or the like", ErrListen, o.Listen)
	}
	l, err := net.Listen("tcp", o.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: http.listen: %s is taken by another program: stop it, or choose another port", ErrListen, o.Listen)
	}
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("%w: http.listen: %s: %w: choose another address", ErrListen, o.Listen, err)
	}
	return &Server{listener: l, served: make(chan error, 1)}, nil
}

// Address is where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Serve answers requests until Close.
func (s *Server) Serve(router Router, o Options) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.http = &http.Server{
		Handler:           Handler(router, o),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(o.Logger, "", 0), //nolint:forbidigo // net/http takes no other
	}
	go func() { s.served <- s.http.Serve(s.listener) }()
}

// Close lets requests under way finish until ctx is done; streams end at once.
func (s *Server) Close(ctx context.Context) error {
	if s.http == nil {
		return s.listener.Close()
	}
	s.stop()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Handler is the API without a listener.
func Handler(router Router, o Options) http.Handler {
	a := &api{router: router, Options: o, streams: make(chan struct{}, maxStreams)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /api/v1/status", a.status)
	mux.HandleFunc("POST /api/v1/channels/{channel}/messages", a.send)
	mux.HandleFunc("GET /api/v1/channels/{channel}/stream", a.stream)
	mux.HandleFunc("GET /api/v1/channels/{channel}/journal", a.journal)
	mux.HandleFunc("GET /api/v1/dead-letters", a.deadLetters)
	mux.HandleFunc("GET /api/v1/dead-letters/{id}", a.deadLetter)
	mux.HandleFunc("POST /api/v1/dead-letters/redrive", a.redrive)
	mux.HandleFunc("POST /api/v1/dead-letters/drop", a.drop)
	mux.HandleFunc("GET /api/v1/damaged-batches", a.damaged)
	mux.HandleFunc("GET /api/v1/queues", a.queues)
	mux.HandleFunc("GET /api/v1/queues/{channel}/messages", a.pending)
	mux.HandleFunc("GET /api/v1/plugins", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.router.Status().Plugins) })
	mux.HandleFunc("GET /api/v1/plugins/{plugin}/state", a.state)
	mux.HandleFunc("POST /api/v1/plugins/{plugin}/state", a.setState)
	mux.HandleFunc("POST /api/v1/plugins/{plugin}/reload", a.reload)
	a.network(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, newProblem(http.StatusNotFound, "No such resource", "there is nothing at "+r.Method+" "+r.URL.Path))
	})
	return guard(mux)
}
