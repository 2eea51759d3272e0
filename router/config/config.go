// Package config reads a router's configuration file: YAML, TOML or JSON, strictly.
//
// An unknown key or a value of the wrong type is an error that names the file, the line and the key, and every problem is
// reported at once. Settings of the engine and of plugins stand in those packages' own Config types; the config tag of
// a field is the setting's path in the file, and nothing is declared twice.
package config

import (
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
)

// Config is a whole configuration, checked and with every default filled in.
type Config struct {
	// Source is the file it was read from; empty when there was none.
	Source string

	// Engine holds node, storage, nats, delivery and discovery. Its zero values that mean "none" in the file are already
	// engine.NoExpiry and engine.Unlimited here.
	Engine engine.Config
	// NATS holds what the engine does not need to know: the embedded server and the credentials.
	NATS NATS
	// Plugins are loaded in this order.
	Plugins []plugins.Config `config:"plugins"`
	// Channels are the channels this node joins; it leaves those that are not listed here.
	Channels []Channel `config:"channels"`
	// Inputs feed channels, outputs consume them.
	Inputs  []Input  `config:"inputs"`
	Outputs []Output `config:"outputs"`
	HTTP    HTTP
	Log     Log

	places map[string]place
}

// NATS is how the router reaches NATS, beside what engine.Config says.
type NATS struct {
	// Listen is the address of the embedded server, which runs when nats.servers is empty.
	Listen string `config:"nats.embedded.listen"`
	// User, Password, Token, Creds and NKey are credentials; the first three guard the embedded server as well.
	User     string `config:"nats.auth.user"`
	Password string `config:"nats.auth.password"`
	Token    string `config:"nats.auth.token"`
	Creds    string `config:"nats.auth.creds"`
	NKey     string `config:"nats.auth.nkey"`
	// CA, Cert and Key are PEM files for connections to nats.servers.
	CA   string `config:"nats.tls.ca"`
	Cert string `config:"nats.tls.cert"`
	Key  string `config:"nats.tls.key"`
}

// Mode is what a node does on a channel.
type Mode string

// The modes: read and write, read alone, write alone.
const (
	ReadWrite Mode = "rw"
	ReadOnly  Mode = "read"
	WriteOnly Mode = "write"
)

// Reads says whether messages of the channel come to this node.
func (m Mode) Reads() bool { return m != WriteOnly }

// Writes says whether this node may send on the channel.
func (m Mode) Writes() bool { return m != ReadOnly }

// NewReaders is where a reader begins that joins the channel for the first time.
type NewReaders string

// Readers begin at the oldest open message, at the next message, or at the oldest that is still kept.
const (
	ReadersOpen NewReaders = "open"
	ReadersHead NewReaders = "head"
	ReadersAll  NewReaders = "all"
)

// ConsumerNone as a channel's consumer acknowledges its messages without handling them.
const ConsumerNone = "none"

// Channel is one channel of this node.
type Channel struct {
	Name string `config:"name"`
	Mode Mode   `config:"mode"`
	// Outbound and Inbound name filter plugins, in the order a message meets them.
	Outbound []string `config:"outbound"`
	Inbound  []string `config:"inbound"`
	// Consumer is a handler plugin, an output, or ConsumerNone. Empty: messages wait at their senders.
	Consumer   string     `config:"consumer"`
	NewReaders NewReaders `config:"new_readers"`
	// Own makes the node read what it sends itself.
	Own bool `config:"own"`
	// Journal is how long what is received is kept to be looked at; 0: not at all.
	Journal time.Duration `config:"journal"`
}

// Input is a source of messages.
type Input struct {
	Name    string `config:"name"`
	Type    string `config:"type"`
	Channel string `config:"channel"`
	// Path is the file to follow, or a pattern of files; for type file.
	Path string `config:"path"`
	// Format is raw (a line is a message) or json (with its file and line number); for type file and stdin.
	Format string `config:"format"`
	// Interval lies between two readings; for type telemetry.
	Interval time.Duration `config:"interval"`
}

// Output is a place that messages go to.
type Output struct {
	Name string `config:"name"`
	Type string `config:"type"`
	// Path is the file to append to; for type file.
	Path string `config:"path"`
	// Format is raw (the message and a line feed) or json (a JSON object a line, with id, channel, sender and times).
	Format string `config:"format"`
	// Sync writes every line through to the disk before it counts as handled; for type file.
	Sync bool `config:"sync"`
}

// HTTP is the router's own HTTP API.
type HTTP struct {
	// Listen is an address on the loopback interface.
	Listen string `config:"http.listen"`
}

// Log is what the router says about itself, on standard error.
type Log struct {
	Level  string `config:"log.level"`
	Format string `config:"log.format"`
}

// Default returns the configuration of an empty file: every default, no channel.
func Default() *Config {
	c := &Config{
		Engine: *engine.DefaultConfig(),
		NATS:   NATS{Listen: "127.0.0.1:4222"},
		HTTP:   HTTP{Listen: "127.0.0.1:8420"},
		Log:    Log{Level: "info", Format: "console"},
		places: map[string]place{},
	}
	// A router keeps everything until its storage is full, and brings its own NATS.
	c.Engine.NATSServers = nil
	c.Engine.StoragePath = "./data/{nodeID}.db"
	c.Engine.StorageMaxSize = 2 << 30
	c.Engine.MessageExpiry = engine.NoExpiry
	c.Engine.MaxMessagesPerReceiver = engine.Unlimited
	return c
}

// LoneChannel is the channel of a router that was started without a configuration.
const LoneChannel = "messages"

// Lone returns the configuration of a router that was started without one: a node that works on its own, with one
// channel to send to and to watch.
func Lone() *Config {
	c := Default()
	c.Channels = []Channel{{Name: LoneChannel, Mode: ReadWrite, Consumer: ConsumerNone, NewReaders: ReadersOpen, Own: true}}
	return c
}

// Channel returns the channel of this name, or nil.
func (c *Config) Channel(name string) *Channel {
	if i := slices.IndexFunc(c.Channels, func(ch Channel) bool { return ch.Name == name }); i >= 0 {
		return &c.Channels[i]
	}
	return nil
}

// Plugin returns the plugin of this name, or nil.
func (c *Config) Plugin(name string) *plugins.Config {
	if i := slices.IndexFunc(c.Plugins, func(p plugins.Config) bool { return p.Name == name }); i >= 0 {
		return &c.Plugins[i]
	}
	return nil
}

// Output returns the output of this name, or nil.
func (c *Config) Output(name string) *Output {
	if i := slices.IndexFunc(c.Outputs, func(o Output) bool { return o.Name == name }); i >= 0 {
		return &c.Outputs[i]
	}
	return nil
}
