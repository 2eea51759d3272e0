package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/config"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // of the command line, or the configuration
)

// shared are the flags of every command.
type shared struct {
	config string
	http   string
	// begun says that the command line was understood: what fails later is no mistake in it.
	begun bool
}

// errUsage is a mistake in the command line that the flags' own checks cannot see.
var errUsage = errors.New("usage")

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// execute runs one command and returns its exit code. Errors are printed here, a line each.
func execute(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &shared{}
	root := newRootCommand(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var problems config.Problems
	text := err.Error()
	isUsage := errors.Is(err, errUsage) || !s.begun
	if isUsage {
		text = strings.Join(strings.Fields(strings.TrimPrefix(text, errUsage.Error()+": ")), " ") + "; see rmds-router --help, or --help after a command"
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintln(os.Stderr, "rmds-router:", line)
		}
	}
	if isUsage || errors.As(err, &problems) {
		return exitUsage
	}
	return exitFailure
}

func newRootCommand(s *shared) *cobra.Command {
	root := &cobra.Command{
		Use:   "rmds-router",
		Short: "Reliable messages between nodes, through plugins",
		Long: `rmds-router carries messages between nodes over NATS. What it has accepted it keeps until every reader has handled
it, across crashes of any of them; what a plugin does with a message happens exactly once.

Start a node that works on its own, and talk to it from another terminal:

  rmds-router run
  rmds-router tail messages
  rmds-router send messages hello`,
		SilenceUsage:     true,
		SilenceErrors:    true,
		PersistentPreRun: func(*cobra.Command, []string) { s.begun = true },
	}
	root.PersistentFlags().StringVarP(&s.config, "config", "c", "", "configuration file (YAML, TOML or JSON)")
	root.PersistentFlags().StringVar(&s.http, "http", "", "HTTP address of the router (default RMDS_HTTP, else the configuration's, else 127.0.0.1:8420)")
	root.AddCommand(newRunCommand(s), newCheckCommand(s), newSendCommand(s), newTailCommand(s), newStatsCommand(s), newVersionCommand(), newPluginCommand(s))
	root.AddCommand(newNodesCommand(s), newTopologyCommand(s), newChannelsCommand(s), newAuditCommand(s), newKickCommand(s), newQueueCommand(s), newDLQCommand(s), newDamagedCommand(s), newReplayCommand(s), newNodeCommand(s))
	root.AddCommand(newBenchCommand(), newChaosCommand())
	return root
}

// channelName refuses what can be no channel.
func channelName(name string) error {
	if !config.LegalName(name) {
		return usage("the channel %q is not a legal name: %s", name, config.NameRule)
	}
	return nil
}

// nodeName refuses what can be no node.
func nodeName(name string) error {
	if !config.LegalName(name) {
		return usage("the node %q is not a legal name: %s", name, config.NameRule)
	}
	return nil
}

// client finds the running router.
func (s *shared) client() (*admin.Client, error) {
	address := s.http
	if address == "" {
		address = os.Getenv("RMDS_HTTP")
	}
	if address == "" {
		c, err := config.Load(s.config)
		if err != nil {
			return nil, err
		}
		address = c.HTTP.Listen
	}
	return admin.NewClient(address), nil
}
