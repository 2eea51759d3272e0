package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// Sizes of memory, in bytes.
const (
	page = 64 << 10
	mib  = 1 << 20
)

// The memory a guest may have when the configuration does not say.
const (
	DefaultMemory   = 16 * mib
	DefaultGoMemory = 32 * mib // a guest compiled by Go starts with half of the other limit already taken
)

// Config is one plugin of the configuration. A zero field means its default, except that Name and File have none.
type Config struct {
	// Name is one token of 1 to 64 letters, digits, '-' or '_'. It is also the namespace of the plugin's keys.
	Name string `config:"name"`
	// File is the module.
	File string `config:"file"`
	// SHA256 pins the module: its digest in hexadecimal. Empty means any.
	SHA256 string `config:"sha256"`
	// Config is handed to the guest as it stands; it must be JSON. Default: null.
	Config json.RawMessage `config:"config"`
	// Limits bound what one call may use.
	Limits Limits `config:"limits"`
	// Pool is the number of instances, 1 to 256. Default: 1 for a guest that imports kv functions, else the number of processors, at most 4.
	Pool int `config:"pool"`
	// Tick is the interval at which the owner calls Plugin.Tick. 0 means never.
	Tick time.Duration `config:"tick"`
	// OnError is what becomes of a message whose filter failed for good. Default: OnErrorHold.
	OnError OnError `config:"on_error"`
	// Allow lists what the plugin may do beside reading its message. Default: nothing.
	Allow Allow `config:"allow"`
}

// Limits of a plugin. Zero means the default.
type Limits struct {
	Memory  int64         `config:"memory"`  // bytes of guest memory, whole pages of 64 KiB; default 16 MiB, 32 MiB for a guest compiled by Go
	Timeout time.Duration `config:"timeout"` // a call; default 200 ms
	Emits   int           `config:"emits"`   // emits a call; default 1000
	Effects int64         `config:"effects"` // bytes of everything that a call emits, stores and sets; default 16 MiB
	Key     int           `config:"key"`     // bytes of a key; default 512
	Value   int           `config:"value"`   // bytes of a value; default 1 MiB
	Log     int           `config:"log"`     // bytes of log text a call; default 64 KiB
}

// Allow grants. Nothing is granted by default.
type Allow struct {
	Emit     []string `config:"emit"`      // channels to emit and to redirect to; "*" is any
	KV       bool     `config:"kv"`        // durable keys
	NodeInfo bool     `config:"node_info"` // statistics, nodes and topology
}

// OnError is a filter's policy for a message that it failed on.
type OnError string

// The policies.
const (
	OnErrorHold OnError = "hold" // keep trying, in order
	OnErrorPass OnError = "pass" // let it pass as it came
	OnErrorDead OnError = "dead" // dead-letter it
)

// Default is a Config with every default filled in; Memory and Pool stay 0, because theirs depend on the module.
func Default() Config { return Config{}.withDefaults() }

func (c Config) withDefaults() Config {
	if len(c.Config) == 0 {
		c.Config = json.RawMessage("null")
	}
	if c.OnError == "" {
		c.OnError = OnErrorHold
	}
	l := &c.Limits
	l.Timeout = orDefault(l.Timeout, 200*time.Millisecond)
	l.Emits = orDefault(l.Emits, 1000)
	l.Effects = orDefault(l.Effects, 16*mib)
	l.Key = orDefault(l.Key, 512)
	l.Value = orDefault(l.Value, mib)
	l.Log = orDefault(l.Log, 64<<10)
	return c
}

// withModuleDefaults fills in what depends on the module.
func (c Config) withModuleDefaults(goGuest, importsKV bool) Config {
	memory := int64(DefaultMemory)
	if goGuest {
		memory = DefaultGoMemory
	}
	c.Limits.Memory = orDefault(c.Limits.Memory, memory)
	pool := min(runtime.GOMAXPROCS(0), 4)
	if importsKV {
		pool = 1
	}
	c.Pool = orDefault(c.Pool, pool)
	return c
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Validate reports every problem at once, each led by the path of its setting; nil if there is none. Zero values are fine where a default exists.
func (c Config) Validate() error {
	var problems []error
	bad := func(path, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: %s: %s", ErrConfig, path, fmt.Sprintf(format, args...)))
	}
	if !abi.ValidChannel(c.Name) {
		bad("name", "%q is not 1 to 64 letters, digits, '-' or '_'", c.Name)
	}
	if c.File == "" {
		bad("file", "is missing: name the plugin's .wasm file")
	}
	if c.SHA256 != "" && (len(c.SHA256) != 64 || strings.Trim(strings.ToLower(c.SHA256), "0123456789abcdef") != "") {
		bad("sha256", "is not 64 hexadecimal digits")
	}
	if len(c.Config) > 0 && !json.Valid(c.Config) {
		bad("config", "is not JSON")
	}
	if c.Pool < 0 || c.Pool > 256 {
		bad("pool", "%d is not between 0 and 256", c.Pool)
	}
	if c.Tick < 0 {
		bad("tick", "%s is negative", c.Tick)
	}
	switch c.OnError {
	case "", OnErrorHold, OnErrorPass, OnErrorDead:
	default:
		bad("on_error", "%q is not hold, pass or dead", c.OnError)
	}
	for i, channel := range c.Allow.Emit {
		if channel != "*" && !abi.ValidChannel(channel) {
			bad(fmt.Sprintf("allow.emit[%d]", i), "%q is neither a channel name nor \"*\"", channel)
		}
	}
	c.Limits.validate(bad)
	return errors.Join(problems...)
}

func (l Limits) validate(bad func(path, format string, args ...any)) {
	if l.Memory < 0 || l.Memory > 4<<30 || l.Memory%page != 0 {
		bad("limits.memory", "%d bytes is not a whole number of 64 KiB pages up to 4 GiB", l.Memory)
	}
	if l.Timeout < 0 || l.Timeout > time.Hour {
		bad("limits.timeout", "%s is not between 0 and 1h", l.Timeout)
	}
	for _, n := range []struct {
		path       string
		value, top int64
	}{
		{"limits.emits", int64(l.Emits), 1e6},
		{"limits.effects", l.Effects, 1 << 30},
		{"limits.key", int64(l.Key), 64 << 10},
		{"limits.value", int64(l.Value), 1 << 30},
		{"limits.log", int64(l.Log), 16 * mib},
	} {
		if n.value < 0 || n.value > n.top {
			bad(n.path, "%d is not between 0 and %d", n.value, n.top)
		}
	}
}
