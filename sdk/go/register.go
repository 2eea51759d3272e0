package rmds

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var (
	filter func(*Message) Verdict
	handle func(*Message) Verdict
	tick   func(time.Time) Verdict
	start  func() error
	health func() error
	stop   func()
)

// Filter registers what passes, changes or drops a message. Call it in an init function; the last call counts, here and below.
func Filter(f func(*Message) Verdict) { filter = f }

// Handle registers what consumes a message.
func Handle(f func(*Message) Verdict) { handle = f }

// Tick registers what is called on a timer, if the configuration sets one.
func Tick(f func(now time.Time) Verdict) { tick = f }

// Start registers what runs once in every new instance, before its first call. Keys cannot be read yet. An error keeps the plugin from starting.
func Start(f func() error) { start = f }

// Health registers what tells whether the plugin is well; keys cannot be read.
func Health(f func() error) { health = f }

// Stop registers what runs before an instance ends in good order.
func Stop(f func()) { stop = f }

// entry runs one entry point, and turns a panic into a fault that says where it was.
func entry(f func() Verdict) (v Verdict) {
	defer func() {
		if r := recover(); r != nil {
			text := fmt.Sprintf("panic: %v%s", r, panicPlace())
			Log(Error, text)
			Fail(text)
			v = failed
		}
	}()
	return f()
}

// panicPlace is the file and line of the panic that is being recovered: the first frame above the runtime's.
func panicPlace() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	panicked := false
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicked && !inRuntime && f.File != "" {
			return fmt.Sprintf(" at %s:%d", filepath.Base(f.File), f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}

func runFilter(n int32) Verdict {
	return entry(func() Verdict {
		if filter == nil {
			panic("the plugin registers no filter")
		}
		return filter(newMessage(n))
	})
}

func runHandle(n int32) Verdict {
	return entry(func() Verdict {
		if handle == nil {
			panic("the plugin registers no handler")
		}
		return handle(newMessage(n))
	})
}

func runTick(ms int64) Verdict {
	return entry(func() Verdict {
		if tick == nil {
			panic("the plugin registers no tick")
		}
		return tick(time.UnixMilli(ms))
	})
}

// runInit tells the router which of the entry points are in use, because a Go plugin always exports them all.
func runInit() Verdict {
	return entry(func() Verdict {
		var offers int64
		for bit, used := range []bool{filter != nil, handle != nil, tick != nil} {
			if used {
				offers |= 1 << bit
			}
		}
		if offers == 0 {
			panic("the plugin registers nothing: call rmds.Filter, rmds.Handle or rmds.Tick in an init function")
		}
		hostOpt(optOffers, offers)
		return refusal(start)
	})
}

func runHealth() Verdict { return entry(func() Verdict { return refusal(health) }) }

func refusal(f func() error) Verdict {
	if f == nil {
		return 0
	}
	if err := f(); err != nil {
		Fail(err.Error())
		return 1
	}
	return 0
}

func runStop() {
	if stop != nil {
		entry(func() Verdict { stop(); return 0 })
	}
}
