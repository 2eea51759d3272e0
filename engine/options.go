package engine

import (
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine/internal/harness"
)

// Option changes a connection beside its Config.
type Option func(*setup)

// setup is what New works from.
type setup struct {
	config  Config
	logger  zerolog.Logger
	nats    []nats.Option
	harness *harness.Harness
	version string
	observe func(Event)
	keepID  string // the file that keeps a derived node id; empty: the id was given
	pattern string // the path as it was given, with the placeholder
}

// SetID sets the node id.
func SetID(id string) Option { return func(s *setup) { s.config.NodeID = id } }

// SetNatsPrefix sets what every subject starts with. A missing dot at its end is added.
func SetNatsPrefix(prefix string) Option {
	if prefix != "" && !strings.HasSuffix(prefix, ".") {
		prefix += "."
	}
	return func(s *setup) { s.config.NATSPrefix = prefix }
}

// SetNATS sets the servers, given as a list with commas. The scheme may be left out.
func SetNATS(servers string) Option {
	var list []string
	for server := range strings.SplitSeq(servers, ",") {
		if server = strings.TrimSpace(server); server != "" {
			list = append(list, server)
		}
	}
	return func(s *setup) { s.config.NATSServers = list }
}

// SetStoragePath sets the database file; {nodeID} stands for the node id.
func SetStoragePath(path string) Option { return func(s *setup) { s.config.StoragePath = path } }

// SetLogger sets where the connection logs. Default: nowhere.
func SetLogger(l zerolog.Logger) Option { return func(s *setup) { s.logger = l } }

// SetNATSOptions adds options of the NATS client, for credentials, TLS, or a server in the same process.
func SetNATSOptions(o ...nats.Option) Option {
	return func(s *setup) { s.nats = append(s.nats, o...) }
}

// SetVersion sets the version that other nodes are told.
func SetVersion(v string) Option { return func(s *setup) { s.version = v } }

// SetObserver sets a function that is told what the connection does, for metrics: see Event. It is called by the goroutines that do the work, several
// of them at a time, in the middle of it: it must be safe for concurrent use, must return within microseconds, and must not call the connection. A function
// that blocks stops delivery, and one that waits for the connection stops it for good. Without an observer nothing is measured.
func SetObserver(f func(Event)) Option { return func(s *setup) { s.observe = f } }

// SetHarness replaces the network and the disk, for tests: package enginetest makes such options.
func SetHarness(h *harness.Harness) Option { return func(s *setup) { s.harness = h } }
