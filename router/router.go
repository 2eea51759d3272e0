// Package router joins the engine and the plugin host as a configuration says: inputs and the API send on channels through
// outbound filters; a channel's messages go through its inbound filters to its one consumer.
package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/config"
	"github.com/getevo/rmds-router/router/connect"
	"github.com/getevo/rmds-router/router/natsserver"
)

// Options are what a router gets from the program around it.
type Options struct {
	Logger  zerolog.Logger
	Version string
	// Stdin and Stdout are for inputs and outputs of these types. Default: the process's.
	Stdin  io.Reader
	Stdout io.Writer
	// CacheDir keeps compiled plugins between starts; empty: they are compiled at every start.
	CacheDir string
}

// Router is one running node.
type Router struct {
	options   Options
	config    *config.Config
	log       zerolog.Logger
	node      string
	storage   string
	nats      *natsserver.Server // nil with nats.servers
	natsURL   string
	engine    *engine.Connection
	host      *plugins.Host
	state     lateState
	stages    map[string]*stage
	outputs   map[string]connect.Output
	consumers map[string]*consumer // by channel; complete before anything asks for the status
	sinks     []*sink              // of the inputs, in the configuration's order
	outgates  map[string]gates     // of each channel's outbound filters
	http      *admin.Server
	info      nodeInfo
	letters   sync.Map // ids of inputs' dead letters that somebody redrives or drops

	stop    context.CancelFunc // ends inputs and ticks
	work    sync.WaitGroup
	closing sync.Once
	// made are files and folders that this start created for outputs, outer ones first.
	made []string
}

// Start builds a router and starts it. Whatever fails, nothing of it is left running. Errors of type config.Problems mean that the
// configuration is at fault.
func Start(ctx context.Context, c *config.Config, o Options) (*Router, error) {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	r := &Router{options: o, config: c, log: o.Logger, stages: map[string]*stage{}, outputs: map[string]connect.Output{}, consumers: map[string]*consumer{}, outgates: map[string]gates{}}
	for _, step := range []func(context.Context) error{r.listen, r.loadPlugins, r.startNATS, r.openOutputs, r.openEngine, r.join, r.consume} {
		if err := step(ctx); err != nil {
			r.abandon()
			return nil, err
		}
	}
	r.startInputs()
	r.http.Serve(r, admin.Options{MaxBody: int64(c.Engine.MaxMessageSize), Logger: r.part("http")})
	return r, nil
}

func (r *Router) listen(context.Context) (err error) {
	r.http, err = admin.Listen(admin.Options{Listen: r.config.HTTP.Listen})
	return err
}

func (r *Router) startNATS(context.Context) (err error) {
	r.natsURL = strings.Join(r.config.Engine.NATSServers, ",")
	if len(r.config.Engine.NATSServers) > 0 {
		return nil
	}
	n := r.config.NATS
	r.nats, err = natsserver.Start(natsserver.Options{Listen: n.Listen, Name: r.config.Engine.NodeID, User: n.User, Password: n.Password, Token: n.Token, Logger: r.part("nats")})
	if err == nil {
		r.natsURL = r.nats.URL()
	}
	return err
}

func (r *Router) part(name string) zerolog.Logger { return r.log.With().Str("part", name).Logger() }

func (r *Router) openEngine(context.Context) error {
	settings := r.config.Engine
	options, err := natsserver.ClientOptions(r.config.NATS)
	if err != nil {
		return config.Problems{r.config.Problem("nats", "%v", err)}
	}
	if r.nats != nil {
		settings.NATSServers = []string{r.nats.URL()}
		options = append(options, r.nats.InProcess())
	}
	r.engine, err = engine.New(&settings, engine.SetLogger(r.part("engine")), engine.SetVersion(r.options.Version), engine.SetNATSOptions(options...))
	if err != nil {
		return r.engineProblem(err)
	}
	r.node = r.engine.NodeID()
	r.storage = strings.ReplaceAll(settings.StoragePath, "{nodeID}", r.node)
	r.state.set(r.engine.State())
	return nil
}

// join makes the node's durable joins those of the configuration: it leaves what is not there any more and joins the rest.
func (r *Router) join(context.Context) error {
	for _, j := range r.engine.Joined() {
		if r.config.Channel(j.Channel) == nil {
			r.log.Info().Str("channel", j.Channel).Msg("leaving the channel: the configuration does not have it any more")
			if err := r.engine.Leave(j.Channel); err != nil {
				return err
			}
		}
	}
	for _, c := range r.config.Channels {
		options := []engine.JoinOption{engine.NewReaders(map[config.NewReaders]engine.Start{
			config.ReadersHead: engine.StartHead, config.ReadersAll: engine.StartAll,
		}[c.NewReaders])}
		if c.Journal > 0 {
			options = append(options, engine.Journal(c.Journal))
		}
		if c.Own {
			options = append(options, engine.Own())
		}
		mode := map[config.Mode]engine.Mode{config.ReadWrite: engine.RW, config.ReadOnly: engine.ReadOnly, config.WriteOnly: engine.WriteOnly}[c.Mode]
		if _, err := r.engine.JoinChannel(c.Name, mode, options...); err != nil {
			return err
		}
		r.outgates[c.Name] = r.gatesFor(c.Outbound...)
	}
	return nil
}

func (r *Router) consume(context.Context) error {
	for _, c := range r.config.Channels {
		if err := r.attach(r.engine.Channel(c.Name), c); err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) startInputs() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	for _, in := range r.config.Inputs {
		log := r.part("input").With().Str("input", in.Name).Logger()
		s := &sink{router: r, input: in.Name, channel: in.Channel, gates: r.outgates[in.Channel], log: log}
		s.recount()
		r.sinks = append(r.sinks, s)
		input := r.input(in, s, log)
		r.work.Go(func() {
			if err := input.Run(ctx); err != nil {
				log.Error().Err(err).Msg("the input has stopped")
			}
		})
	}
	r.watchPlugins(ctx)
	for _, name := range slices.Sorted(maps.Keys(r.stages)) {
		if s := r.stages[name]; s.config.Tick > 0 {
			r.work.Go(func() { r.tick(ctx, s) })
		}
	}
}

func (r *Router) input(in config.Input, s *sink, log zerolog.Logger) connect.Input {
	tagged := in.Format == "json"
	switch in.Type {
	case "file":
		return connect.NewFollow(connect.FollowOptions{Path: in.Path, Tagged: tagged}, s, log)
	case "telemetry":
		return connect.NewTelemetry(connect.NewReader(filepath.Dir(r.storage)), in.Interval, s, log)
	}
	return connect.NewStdin(r.options.Stdin, tagged, s, log)
}

// Close drains and stops the router: inputs end, handlers under way finish, readers that are online get what they can take until
// ctx is done. What is left stays in the database. Calling it again does nothing.
func (r *Router) Close(ctx context.Context) error {
	var err error
	r.closing.Do(func() {
		r.stop()
		err = r.http.Close(ctx)
		r.work.Wait()
		err = errors.Join(err, r.engine.Close(ctx), r.closeRest(ctx))
	})
	return err
}

// abandon undoes what Start has done so far.
func (r *Router) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// The error that led here is the one to report.
	if r.http != nil {
		r.http.Close(ctx)
	}
	if r.engine != nil {
		r.engine.Close(ctx)
	}
	r.closeRest(ctx) //nolint:errcheck // see above
	r.unmake()
}

func (r *Router) closeRest(ctx context.Context) error {
	var errs []error
	if r.host != nil {
		errs = append(errs, r.host.Close(ctx))
	}
	for _, out := range r.outputs {
		errs = append(errs, out.Close())
	}
	if r.nats != nil {
		r.nats.Close()
	}
	return errors.Join(errs...)
}

// Failed is closed when the store failed and the process has to end.
func (r *Router) Failed() <-chan struct{} { return r.engine.Failed() }

// Failure is why the process has to end, for its last words.
func (r *Router) Failure() error {
	return fmt.Errorf("%w: the database %s cannot be written; what it holds is safe: look at the disk, then start again", engine.ErrStorage, r.storage)
}

// NodeID is the node's id, as configured or found in the database.
func (r *Router) NodeID() string { return r.node }

// Storage is the path of the database.
func (r *Router) Storage() string { return r.storage }

// NATSURL is where NATS is reached; Embedded says whether it is this process's.
func (r *Router) NATSURL() string { return r.natsURL }

// Embedded says whether the router runs its own NATS server.
func (r *Router) Embedded() bool { return r.nats != nil }

// HTTPAddress is where the API listens.
func (r *Router) HTTPAddress() string { return r.http.Address() }
