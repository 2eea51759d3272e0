package plugins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/getevo/rmds-router/plugins/internal/meter"
	"github.com/getevo/rmds-router/plugins/internal/screen"
)

// problem is an error of a plugin, in the one form that all of them have: who, where, what.
func (c Config) problem(kind error, format string, args ...any) error {
	return &problem{kind, fmt.Sprintf("plugin %s: %s: %s", c.Name, c.File, fmt.Sprintf(format, args...))}
}

// Load reads, checks and compiles a module, instantiates it once and runs rmds_init, so that a plugin that is returned works. The error is one line that names the
// file, what is wrong and what to do; nothing is left behind.
func (h *Host) Load(ctx context.Context, c Config) (*Plugin, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := h.beginLoad(); err != nil {
		return nil, err
	}
	defer h.loads.Done()
	c = c.withDefaults()
	p := &Plugin{
		host: h, config: c, log: h.options.Logger.With().Str("plugin", c.Name).Logger(), closed: make(chan struct{}), emit: make(map[string]bool),
		lines: lineGate{credit: lineBurst, last: monotonic()}, faults: lineGate{credit: lineBurst, last: monotonic()},
	}
	for _, channel := range c.Allow.Emit {
		p.anyEmit = p.anyEmit || channel == "*"
		p.emit[channel] = true
	}
	if c.Allow.KV {
		p.overlay = newOverlay(func() { p.current.Load().pool.renew() })
	}
	module, err := c.readModule()
	if err != nil {
		return nil, err
	}
	e, err := p.prepare(ctx, module, 1)
	if err != nil {
		return nil, err
	}
	p.current.Store(e)
	h.enter(p)
	return p, nil
}

// source is a module as its file holds it.
type source struct {
	bytes []byte
	sum   [sha256.Size]byte
}

// digest is the sha256 in hexadecimal.
func (s *source) digest() string { return hex.EncodeToString(s.sum[:]) }

// readModule reads the file and checks it against the pin.
func (c Config) readModule() (*source, error) {
	f, err := os.Open(c.File)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, c.problem(ErrFile, "cannot be opened: %v", err)
	}
	defer f.Close()
	module, err := io.ReadAll(io.LimitReader(f, screen.MaxModule+1))
	if err != nil {
		return nil, c.problem(ErrFile, "cannot be read: %v", err)
	}
	s := &source{module, sha256.Sum256(module)}
	if c.SHA256 != "" && !strings.EqualFold(c.SHA256, s.digest()) {
		return nil, c.problem(ErrPin, "has sha256 %s, but the configuration pins %s", s.digest(), strings.ToLower(c.SHA256))
	}
	return s, nil
}

// compile makes the guest, through the cache if there is one. What is wrong with the cache never keeps a good module from loading.
func (h *Host) compile(ctx context.Context, c Config, memory int64, module *source) (*guest, error) {
	metered, err := meter.Rewrite(module.bytes)
	if err != nil {
		return nil, c.problem(ErrModule, "%v", err)
	}
	defer h.compiles.lock(module.sum)()
	g, err := compile(ctx, metered, memory, h.options.CacheDir)
	if err != nil && h.options.CacheDir != "" {
		cacheErr := err
		if g, err = compile(ctx, metered, memory, ""); err == nil {
			h.options.Logger.Warn().Str("plugin", c.Name).Str("cache", h.options.CacheDir).Err(cacheErr).Msg("compilation cache not used")
		}
	}
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		if strings.Contains(text, "over limit of") {
			text += fmt.Sprintf("; raise limits.memory, now %d MiB", memory/mib)
		}
		return nil, c.problem(ErrModule, "%s", text)
	}
	return g, nil
}
