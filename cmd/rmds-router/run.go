package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router"
	"github.com/getevo/rmds-router/router/config"
)

type runFlags struct {
	*shared
	nodeID string
	set    []string
	// nodeGiven says whether --node-id was given, be it empty.
	nodeGiven func() bool
}

func newRunCommand(s *shared) *cobra.Command {
	f := &runFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a node until it is told to stop",
		Long: `Runs a node until it gets SIGINT (Ctrl-C) or SIGTERM; it then drains and exits with 0. A second signal ends it at once;
what was not delivered is kept either way.

Without --config it is a node that works on its own: an embedded NATS server, a folder ./data, and the channel
"messages" to send to and to watch.`,
		Args: noFileArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.settings(cmd)
	return cmd
}

// noFileArgs refuses arguments, and takes one for a configuration file that misses its flag.
func noFileArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument %q: name a configuration file with -c %s", cmd.Name(), args[0], args[0])
	}
	return nil
}

// settings adds the flags that override the configuration.
func (f *runFlags) settings(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.nodeID, "node-id", "", "the node's id, instead of node.id")
	f.nodeGiven = func() bool { return cmd.Flags().Changed("node-id") }
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "a setting that is not in a list, as key=value, such as --set nats.embedded.listen=127.0.0.1:4333")
}

// load reads the configuration with what the command line says over it.
func (f *runFlags) load() (*config.Config, error) {
	var overrides []config.Override
	for _, setting := range f.set {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, usage("--set %s: write key=value", setting)
		}
		overrides = append(overrides, config.Override{Key: strings.TrimSpace(key), Value: value, Source: "--set"})
	}
	if f.nodeID != "" || f.nodeGiven() {
		overrides = append(overrides, config.Override{Key: "node.id", Value: f.nodeID, Source: "--node-id"})
	}
	if f.http != "" {
		overrides = append(overrides, config.Override{Key: "http.listen", Value: f.http, Source: "--http"})
	}
	return config.Load(f.config, overrides...)
}

func (f *runFlags) run(cmd *cobra.Command) error {
	signal.Ignore(syscall.SIGPIPE) // a reader of standard output that goes away is an error of that output, not the router's end
	c, err := f.load()
	if err != nil {
		return err
	}
	out := &held{out: os.Stderr}
	log := logger(c.Log, out, isTerminal(os.Stderr))
	r, err := router.Start(cmd.Context(), c, router.Options{Logger: log, Version: version, CacheDir: cacheDir()})
	if err != nil {
		out.release()
		return err
	}
	greet(os.Stderr, c, r)
	for _, warning := range c.Warnings() {
		log.Warn().Msg(warning)
	}
	out.release()
	failed := false
	select {
	case <-cmd.Context().Done():
		log.Info().Msg("stopping; a second signal stops at once")
	case <-r.Failed():
		failed = true
	}
	return f.stop(r, c, log, failed)
}

// stop drains the router. A second signal cuts that short.
func (f *runFlags) stop(r *router.Router, c *config.Config, log zerolog.Logger, failed bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.Engine.DrainTimeout)
	defer cancel()
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-again:
			os.Exit(exitFailure)
		case <-stopped:
		}
	}()
	err := r.Close(ctx)
	if failed {
		return r.Failure()
	}
	if err != nil {
		log.Warn().Err(err).Msg("stopped before everything was drained; what is left is kept for the next start")
	}
	return nil
}

// greet says, for people, where everything is.
func greet(w io.Writer, c *config.Config, r *router.Router) {
	storage := r.Storage()
	if absolute, err := filepath.Abs(storage); err == nil {
		storage = absolute
	}
	kind := "of the configuration"
	if r.Embedded() {
		kind = "embedded; other nodes may connect to it"
	}
	fmt.Fprintf(w, "rmds-router %s, node %s\n", version, r.NodeID())
	fmt.Fprintf(w, "  data  %s (database %s)\n", filepath.Dir(storage), filepath.Base(storage))
	fmt.Fprintf(w, "  NATS  %s (%s)\n", r.NATSURL(), kind)
	fmt.Fprintf(w, "  HTTP  http://%s\n", r.HTTPAddress())
	if c.Source == "" {
		at := ""
		if r.HTTPAddress() != config.Default().HTTP.Listen {
			at = " --http " + r.HTTPAddress()
		}
		fmt.Fprintf(w, "Channel %s is open and keeps what passes for %s. In another terminal:\n", config.LoneChannel, period(c.Engine.DeliveredMessageRetention))
		fmt.Fprintf(w, "  rmds-router tail %s%s\n  rmds-router send %s hello%s\n", config.LoneChannel, at, config.LoneChannel, at)
	}
	fmt.Fprintln(w, "Ctrl-C stops it.")
}

// period writes a duration without the zero minutes and seconds at its end.
func period(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func logger(c config.Log, w io.Writer, colour bool) zerolog.Logger {
	if c.Format != "json" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !colour}
	}
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil { // checked when it was loaded
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// cacheDir is where compiled plugins are kept between starts; empty where the system has no such place.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "rmds-router", "plugins")
}
