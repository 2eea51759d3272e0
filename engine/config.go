package engine

import (
	"math/bits"
	"time"
)

// Unlimited, as MaxMessagesPerReceiver, and NoExpiry, as MessageExpiry, switch the limit off; zero means the default.
//
// NoReserve, as StorageReserve, keeps nothing back.
const (
	Unlimited = -1
	NoReserve = -1
	NoExpiry  = time.Duration(-1)
)

// Config holds every setting of a connection. The zero value of a field means its default, except EnableCompression,
// whose zero value is off; DefaultConfig fills all of them in.
//
// The config tag is the setting's path in a router's configuration file, where the same values are read.
type Config struct {
	// NodeID names this node in the network: 1 to 64 letters, digits, '-' or '_'. Default: the id kept in the database, else the host's name made legal.
	NodeID string `config:"node.id"`

	// NATSServers are the servers to connect to; the scheme may be left out.
	NATSServers []string `config:"nats.servers"`
	// NATSPoolSize is how many connections to NATS the lanes are spread over: everything between two nodes goes over one of them at each end. At most 64.
	NATSPoolSize int `config:"nats.pool_size"`
	// NATSPrefix starts every subject. It ends with a dot.
	NATSPrefix string `config:"nats.prefix"`
	// ManagementChannel, DiscoveryChannel and KeepaliveChannel are the subject tokens after the prefix for these three kinds of traffic.
	ManagementChannel string `config:"nats.channels.management"`
	DiscoveryChannel  string `config:"nats.channels.discovery"`
	KeepaliveChannel  string `config:"nats.channels.keepalive"`

	// StoragePath is the database file; {nodeID} stands for the node id. Its folder is created.
	StoragePath string `config:"storage.path"`
	// StorageSync is SyncFull (every commit survives a power cut) or SyncNormal (the newest commits may be lost in a power cut, never in a process death).
	StorageSync Sync `config:"storage.sync"`
	// StorageMaxSize bounds the database file in bytes; 0 means no bound but the disk's. Near it, delivered messages are removed before their
	// retention ends, the oldest first; at it, sends are refused with ErrStorageFull.
	StorageMaxSize int64 `config:"storage.max_size"`
	// StorageReserve is how many bytes of the disk a file beside the database takes up, to be given back when the disk is full: positions and
	// ends of joins are then still stored.
	StorageReserve int64 `config:"storage.reserve"`
	// DeliveredMessageRetention is how long delivered messages stay for replay and healing, counted from when they were accepted, in
	// this node's running time; less long if StorageMaxSize needs the room.
	DeliveredMessageRetention time.Duration `config:"storage.delivered_message_retention"`
	// MessageCleanupInterval is how often delivered messages past their retention are removed.
	MessageCleanupInterval time.Duration `config:"storage.cleanup_interval"`

	// EnableCompression compresses batches with Snappy when that makes them smaller. Receivers read both.
	EnableCompression bool `config:"delivery.compression"`
	// MessageExpiry ends a message that was not handled in time, counted in the sender's running time.
	MessageExpiry time.Duration `config:"delivery.message_expiry"`
	// ACKTimeout is how long after its callback returned a message may wait for its verdict, and how long a live reader may make no progress.
	ACKTimeout time.Duration `config:"delivery.ack_timeout"`
	// DeliveryRetryInterval lies between two attempts at handling a message.
	DeliveryRetryInterval time.Duration `config:"delivery.retry_interval"`
	// MaxRetryAttempts is how many attempts a message gets before it becomes a dead letter.
	MaxRetryAttempts int `config:"delivery.max_retry_attempts"`
	// MaxMessagesPerReceiver bounds what waits for one reader of one channel.
	MaxMessagesPerReceiver int `config:"delivery.max_messages_per_receiver"`
	// Overflow is what happens at that bound: OverflowReject, OverflowDropOldest or OverflowDropNewest.
	Overflow Overflow `config:"delivery.overflow"`
	// MaxInFlight and MaxBytesInFlight bound what was sent to a reader and not yet committed by it, rounded up to one batch.
	MaxInFlight      int `config:"delivery.max_in_flight"`
	MaxBytesInFlight int `config:"delivery.max_bytes_in_flight"`
	// MaxMessageSize bounds a message's data and headers together, in bytes: at most 64 MiB, and 8 MiB on a 32-bit machine. A reader refuses
	// a channel, for a while, on which something larger than its own bound comes.
	MaxMessageSize int `config:"delivery.max_message_size"`
	// Ordering is OrderReceiver (one order over all channels between two nodes) or OrderChannel (each channel on its own).
	Ordering Ordering `config:"delivery.ordering"`
	// ParallelSenders is how many senders' messages a channel's handler may see at the same time.
	ParallelSenders int `config:"delivery.parallel_senders"`
	// HopLimit is how many handlers a message and what they emit because of it may pass.
	HopLimit int `config:"delivery.hop_limit"`
	// DrainTimeout bounds Unsubscribe.
	DrainTimeout time.Duration `config:"delivery.drain_timeout"`

	// KeepaliveInterval is how often a node tells each of its channels that it lives.
	KeepaliveInterval time.Duration `config:"discovery.keepalive_interval"`
	// NodeOfflineTimeout is how long a node may be silent before it counts as offline, and how long a connection must be unbroken before membership counts as known.
	NodeOfflineTimeout time.Duration `config:"discovery.node_offline_timeout"`
	// DiscoveryBroadcastInterval is how often a node announces itself to the whole network.
	DiscoveryBroadcastInterval time.Duration `config:"discovery.broadcast_interval"`
	// ExpiredNodeCleanupInterval is how long an unheard node stays in listings. Positions and pending messages are not touched by it.
	ExpiredNodeCleanupInterval time.Duration `config:"discovery.expired_node_cleanup"`
}

// Sync is the durability of a commit.
type Sync string

const (
	SyncFull   Sync = "full"
	SyncNormal Sync = "normal"
)

// Ordering is the scope of the delivery order.
type Ordering string

const (
	OrderReceiver Ordering = "receiver"
	OrderChannel  Ordering = "channel"
)

// Overflow is what happens when a reader's queue is at its limit.
type Overflow string

const (
	// OverflowReject refuses the send, for all readers, and names the one that is full.
	OverflowReject Overflow = "reject"
	// OverflowDropOldest ends that reader's oldest message, counted as overflow.
	OverflowDropOldest Overflow = "drop_oldest"
	// OverflowDropNewest keeps the new message from that reader, counted as overflow.
	OverflowDropNewest Overflow = "drop_newest"
)

// mostMessageSize is the most that MaxMessageSize may be: 64 MiB, or 8 MiB where the address space is small.
const mostMessageSize = (64 << 20) >> (3 * (1 - bits.UintSize/64))

// DefaultConfig returns a new configuration with every default filled in. NodeID stays empty: New derives it.
func DefaultConfig() *Config {
	return &Config{
		NATSServers:                []string{"nats://127.0.0.1:4222"},
		NATSPoolSize:               1,
		NATSPrefix:                 "rmds.",
		ManagementChannel:          "management",
		DiscoveryChannel:           "discovery",
		KeepaliveChannel:           "keepalive",
		StoragePath:                "./rmds-{nodeID}.db",
		StorageSync:                SyncFull,
		StorageReserve:             16 << 20,
		DeliveredMessageRetention:  72 * time.Hour,
		MessageCleanupInterval:     time.Hour,
		EnableCompression:          true,
		MessageExpiry:              24 * time.Hour,
		ACKTimeout:                 10 * time.Second,
		DeliveryRetryInterval:      5 * time.Second,
		MaxRetryAttempts:           10,
		MaxMessagesPerReceiver:     10000,
		Overflow:                   OverflowReject,
		MaxInFlight:                4096,
		MaxBytesInFlight:           8 << 20,
		MaxMessageSize:             mostMessageSize,
		Ordering:                   OrderReceiver,
		ParallelSenders:            1,
		HopLimit:                   16,
		DrainTimeout:               10 * time.Second,
		KeepaliveInterval:          10 * time.Second,
		NodeOfflineTimeout:         30 * time.Second,
		DiscoveryBroadcastInterval: 30 * time.Second,
		ExpiredNodeCleanupInterval: 24 * time.Hour,
	}
}
