package plugins

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// HostOptions are what plugins share. Every field may be left out.
type HostOptions struct {
	// CacheDir keeps compiled modules from one process to the next. It holds machine code that is run without another check: nobody else
	// may write there. It is made with mode 0700. Empty: modules are compiled at every Load.
	CacheDir string
	Logger   zerolog.Logger
	// State holds the durable keys. Without it every key is absent.
	State State
	// NodeInfo is what guests with the grant read as field 8: JSON. It must be quick and not block.
	NodeInfo func() []byte
	// Now is the time that guests are told.
	Now func() time.Time
}

// Host loads plugins. Its methods may be called by several goroutines.
type Host struct {
	options  HostOptions
	compiles hashLocks
	watchdog *watchdog
	loads    sync.WaitGroup

	mu      sync.Mutex
	plugins map[*Plugin]struct{}
	closed  bool
}

// NewHost makes a host. Close it when done.
func NewHost(o HostOptions) *Host {
	if o.State == nil {
		o.State = noState{}
	}
	if o.NodeInfo == nil {
		o.NodeInfo = func() []byte { return []byte("{}") }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Host{options: o, watchdog: newWatchdog(), plugins: make(map[*Plugin]struct{})}
	go h.watchdog.run()
	return h
}

// Close waits for loads under way and closes the host's plugins; see Plugin.Close. No plugin can be loaded afterwards. Closing twice does no harm.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	again := h.closed
	h.closed = true
	h.mu.Unlock()
	if again {
		return nil
	}
	h.loads.Wait()
	h.mu.Lock()
	var open []*Plugin
	for p := range h.plugins {
		open = append(open, p)
	}
	h.mu.Unlock()
	var errs []error
	for _, p := range open {
		errs = append(errs, p.Close(ctx))
	}
	h.watchdog.close()
	return errors.Join(errs...)
}

// beginLoad fails once the host is closed; otherwise loads.Done must follow.
func (h *Host) beginLoad() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	h.loads.Add(1)
	return nil
}

// enter notes an open plugin.
func (h *Host) enter(p *Plugin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plugins[p] = struct{}{}
}

func (h *Host) leave(p *Plugin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.plugins, p)
}

// noState is the State of a host that has none.
type noState struct{}

func (noState) Get(string, []byte) ([]byte, bool, error)  { return nil, false, nil }
func (noState) Next(string, []byte) ([]byte, bool, error) { return nil, false, nil }

// hashLocks lets one goroutine at a time work on modules with the same digest, so that the second finds the first one's work in the cache.
type hashLocks struct {
	mu    sync.Mutex
	locks map[[32]byte]*hashLock
}

type hashLock struct {
	sync.Mutex
	users int
}

// lock takes the lock of a digest and gives its release.
func (h *hashLocks) lock(sum [32]byte) (unlock func()) {
	h.mu.Lock()
	if h.locks == nil {
		h.locks = make(map[[32]byte]*hashLock)
	}
	l := h.locks[sum]
	if l == nil {
		l = &hashLock{}
		h.locks[sum] = l
	}
	l.users++
	h.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		h.mu.Lock()
		defer h.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(h.locks, sum)
		}
	}
}
