package engine

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/node"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/natsconn"
	"github.com/getevo/rmds-router/engine/internal/transport/pool"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

func newSetup(c *Config, opts []Option) (*setup, error) {
	if c == nil {
		c = DefaultConfig()
	}
	s := &setup{config: *c, logger: zerolog.Nop(), version: "dev", harness: &harness.Harness{}}
	for _, o := range opts {
		o(s)
	}
	s.config.fill()
	if err := s.config.Validate(); err != nil {
		return nil, err
	}
	if err := s.identify(); err != nil {
		return nil, err
	}
	return s, nil
}

// identify settles the node id and the path, which may depend on each other.
func (s *setup) identify() error {
	c := &s.config
	s.pattern = c.StoragePath
	if c.NodeID == "" && strings.Contains(c.StoragePath, nodePlaceholder) {
		fixed, _, _ := strings.Cut(c.StoragePath, nodePlaceholder)
		s.keepID = filepath.Join(filepath.Dir(fixed+"x"), idFile)
		c.NodeID = keptID(s.keepID)
	}
	if c.NodeID != "" && !wire.LegalName(c.NodeID) {
		return errName("node", c.NodeID)
	}
	c.StoragePath = s.path(c.NodeID)
	if c.NodeID == "" && s.harness.VFS == "" {
		if _, err := os.Stat(c.StoragePath); err != nil {
			c.NodeID = hostName() // a new database needs an id
		}
	}
	return nil
}

// nodePlaceholder in a path stands for the node id.
const nodePlaceholder = "{nodeID}"

// path is that of a node's database.
func (s *setup) path(id string) string { return strings.ReplaceAll(s.pattern, nodePlaceholder, id) }

// idFile holds the node id beside databases whose path depends on it, so that a host that is renamed keeps its database.
const idFile = "rmds-node-id"

// keptID is the id in the file, else the host's name.
func keptID(file string) string {
	if kept, err := os.ReadFile(file); err == nil && wire.LegalName(strings.TrimSpace(string(kept))) {
		return strings.TrimSpace(string(kept))
	}
	return hostName()
}

// remember keeps a derived id for the next start.
func (s *setup) remember(id string) error {
	if s.harness.VFS != "" {
		return nil
	}
	return s.keep(id)
}

// hostName is the host's name, made legal.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	legal := strings.Map(func(r rune) rune {
		if wire.LegalName(string(r)) {
			return r
		}
		return '-'
	}, name)
	if legal = strings.Trim(legal[:min(len(legal), wire.MaxName)], "-"); legal == "" {
		return "node"
	}
	return legal
}

// dial makes a connection that has not started.
func (s *setup) dial() transport.Conn {
	c := &s.config
	if s.harness.Dial != nil {
		return s.harness.Dial(c.NodeID)
	}
	return natsconn.New(natsconn.Options{Servers: c.NATSServers, Name: "rmds-router " + c.NodeID, NATS: s.nats})
}

func (s *setup) nodeOptions() node.Options {
	c := &s.config
	subjects := wire.Subjects{Prefix: c.NATSPrefix, Management: c.ManagementChannel, Discovery: c.DiscoveryChannel, Keepalive: c.KeepaliveChannel}
	conn := s.dial()
	if c.NATSPoolSize > 1 {
		conns := []transport.Conn{conn}
		for len(conns) < c.NATSPoolSize {
			conns = append(conns, s.dial())
		}
		conn = pool.New(conns, subjects.PeerTo, subjects.PeerFrom)
	}
	sync := string(c.StorageSync)
	if planted.NormalSync {
		sync = string(SyncNormal)
	}
	return node.Options{
		Store:    store.Options{Path: c.StoragePath, VFS: s.harness.VFS, NoLock: s.harness.VFS != "", Sync: sync, NodeID: c.NodeID, MaxSize: c.StorageMaxSize, Reserve: c.StorageReserve},
		Conn:     conn,
		Pooled:   c.NATSPoolSize > 1,
		Subjects: subjects,
		Version:  s.version,
		Wall:     s.harness.Wall,
		Batches:  s.harness.Batches,
		Logger:   s.logger,

		Compress: c.EnableCompression, AckTimeout: c.ACKTimeout, RetryInterval: c.DeliveryRetryInterval, MaxAttempts: c.MaxRetryAttempts,
		MaxPerReceiver: max(c.MaxMessagesPerReceiver, 0), Overflow: overflows[c.Overflow], MaxInFlight: c.MaxInFlight, MaxBytes: c.MaxBytesInFlight, MaxMessageSize: c.MaxMessageSize,
		PerChannel: c.Ordering == OrderChannel, Parallel: c.ParallelSenders, DrainTimeout: c.DrainTimeout,
		Keepalive: c.KeepaliveInterval, Offline: c.NodeOfflineTimeout, Broadcast: c.DiscoveryBroadcastInterval, Forget: c.ExpiredNodeCleanupInterval,
		Cleanup: c.MessageCleanupInterval, Retention: c.DeliveredMessageRetention,
	}
}

var overflows = map[Overflow]outbox.Overflow{OverflowReject: outbox.Reject, OverflowDropOldest: outbox.DropOldest, OverflowDropNewest: outbox.DropNewest}

// maxPool bounds NATSPoolSize.
const maxPool = 64

// Validate reports every value that cannot be used, all at once, each with the field's name. Errors wrap ErrConfig.
func (c *Config) Validate() error {
	var problems []string
	bad := func(field, why string) { problems = append(problems, field+": "+why) }
	if c.NodeID != "" && !wire.LegalName(c.NodeID) {
		return errName("node", c.NodeID)
	}
	subjects := wire.Subjects{Prefix: c.NATSPrefix, Management: c.ManagementChannel, Discovery: c.DiscoveryChannel, Keepalive: c.KeepaliveChannel}
	if err := subjects.Check(); err != nil {
		bad("NATSPrefix", err.Error())
	}
	if c.StorageSync != SyncFull && c.StorageSync != SyncNormal {
		bad("StorageSync", fmt.Sprintf("%q is neither full nor normal", c.StorageSync))
	}
	if c.Ordering != OrderReceiver && c.Ordering != OrderChannel {
		bad("Ordering", fmt.Sprintf("%q is neither receiver nor channel", c.Ordering))
	}
	if _, ok := overflows[c.Overflow]; !ok {
		bad("Overflow", fmt.Sprintf("%q is none of reject, drop_oldest and drop_newest", c.Overflow))
	}
	if c.NATSPoolSize > maxPool {
		bad("NATSPoolSize", fmt.Sprintf("the most is %d", maxPool))
	}
	if c.MaxMessageSize > mostMessageSize {
		bad("MaxMessageSize", fmt.Sprintf("the most is %d MiB on a %d-bit machine", mostMessageSize>>20, bits.UintSize))
	}
	if c.StorageMaxSize < 0 {
		bad("StorageMaxSize", "is negative")
	}
	for field, d := range map[string]int64{"ACKTimeout": int64(c.ACKTimeout), "DeliveryRetryInterval": int64(c.DeliveryRetryInterval), "MaxRetryAttempts": int64(c.MaxRetryAttempts),
		"NATSPoolSize": int64(c.NATSPoolSize), "MaxInFlight": int64(c.MaxInFlight), "MaxBytesInFlight": int64(c.MaxBytesInFlight), "MaxMessageSize": int64(c.MaxMessageSize), "ParallelSenders": int64(c.ParallelSenders),
		"HopLimit": int64(c.HopLimit), "DrainTimeout": int64(c.DrainTimeout), "KeepaliveInterval": int64(c.KeepaliveInterval), "NodeOfflineTimeout": int64(c.NodeOfflineTimeout),
		"DiscoveryBroadcastInterval": int64(c.DiscoveryBroadcastInterval), "ExpiredNodeCleanupInterval": int64(c.ExpiredNodeCleanupInterval),
		"DeliveredMessageRetention": int64(c.DeliveredMessageRetention), "MessageCleanupInterval": int64(c.MessageCleanupInterval)} {
		if d < 0 {
			bad(field, "is negative")
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %s", ErrConfig, strings.Join(problems, "; "))
	}
	return nil
}

// fill sets every zero field to its default.
func (c *Config) fill() {
	d := DefaultConfig()
	or(&c.NATSPoolSize, d.NATSPoolSize)
	or(&c.NATSPrefix, d.NATSPrefix)
	or(&c.ManagementChannel, d.ManagementChannel)
	or(&c.DiscoveryChannel, d.DiscoveryChannel)
	or(&c.KeepaliveChannel, d.KeepaliveChannel)
	or(&c.StoragePath, d.StoragePath)
	or(&c.StorageSync, d.StorageSync)
	or(&c.StorageReserve, d.StorageReserve)
	or(&c.DeliveredMessageRetention, d.DeliveredMessageRetention)
	or(&c.MessageCleanupInterval, d.MessageCleanupInterval)
	or(&c.MessageExpiry, d.MessageExpiry)
	or(&c.ACKTimeout, d.ACKTimeout)
	or(&c.DeliveryRetryInterval, d.DeliveryRetryInterval)
	or(&c.MaxRetryAttempts, d.MaxRetryAttempts)
	or(&c.MaxMessagesPerReceiver, d.MaxMessagesPerReceiver)
	or(&c.Overflow, d.Overflow)
	or(&c.MaxInFlight, d.MaxInFlight)
	or(&c.MaxBytesInFlight, d.MaxBytesInFlight)
	or(&c.MaxMessageSize, d.MaxMessageSize)
	or(&c.Ordering, d.Ordering)
	or(&c.ParallelSenders, d.ParallelSenders)
	or(&c.HopLimit, d.HopLimit)
	or(&c.DrainTimeout, d.DrainTimeout)
	or(&c.KeepaliveInterval, d.KeepaliveInterval)
	or(&c.NodeOfflineTimeout, d.NodeOfflineTimeout)
	or(&c.DiscoveryBroadcastInterval, d.DiscoveryBroadcastInterval)
	or(&c.ExpiredNodeCleanupInterval, d.ExpiredNodeCleanupInterval)
	if len(c.NATSServers) == 0 {
		c.NATSServers = d.NATSServers
	}
}

func or[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}
