package connect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// patience bounds what these tests wait for, on machines that are busy with other things.
const patience = time.Minute

// fakeSink is durable memory that survives the inputs of a test, and that can refuse or stop half way.
type fakeSink struct {
	mu       sync.Mutex
	messages []string
	places   map[string]string
	refuse   int // so many commits are refused, each after half of its messages
	stopAt   int // when so many messages are durable, cancel
	cancel   context.CancelFunc
}

var errRefused = errors.New("full")

func (s *fakeSink) Commit(ctx context.Context, messages [][]byte, place func(int) []Change) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	n, err := len(messages), error(nil)
	if s.refuse > 0 {
		s.refuse--
		n, err = n/2, errRefused
	}
	if s.stopAt > 0 && len(s.messages)+n >= s.stopAt {
		n, err = max(0, s.stopAt-len(s.messages)), errRefused
		s.stopAt = 0
		defer s.cancel()
	}
	if n == 0 && len(messages) > 0 {
		return 0, err
	}
	for _, m := range messages[:n] {
		s.messages = append(s.messages, string(m))
	}
	if s.places == nil {
		s.places = map[string]string{}
	}
	for _, c := range place(n) {
		if c.Value == nil {
			delete(s.places, c.Key)
		} else {
			s.places[c.Key] = string(c.Value)
		}
	}
	return n, err
}

func (s *fakeSink) Remembered() ([]Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Change
	for k, v := range s.places {
		out = append(out, Change{Key: k, Value: []byte(v)})
	}
	return out, nil
}

func (s *fakeSink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...)
}

// await polls until the sink holds exactly these messages.
func (s *fakeSink) await(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := s.all()
		if strings.Join(got, "\x00") == strings.Join(want, "\x00") {
			return
		}
		if time.Now().After(deadline) || len(got) > len(want) {
			t.Fatalf("got %d messages %.300q\nwant %d %.300q", len(got), got, len(want), want)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// awaitPlace polls until what is remembered under a key has all these parts.
func (s *fakeSink) awaitPlace(t *testing.T, key string, parts ...string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		s.mu.Lock()
		text := s.places[key]
		s.mu.Unlock()
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is remembered as %s, without %q", key, text, parts)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// run starts an input and returns what stops it and waits.
func run(t *testing.T, in Input) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func TestDeliverWaitsAndNeverDropsOrRepeats(t *testing.T) {
	sink := &fakeSink{refuse: 4}
	messages := [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d"), []byte("e")}
	var last int
	err := deliver(t.Context(), sink, zerolog.Nop(), messages, func(n int) []Change { last = n; return nil })
	if err != nil || last != 5 {
		t.Fatalf("%v, the last place is %d", err, last)
	}
	sink.await(t, "a", "b", "c", "d", "e")
}

func TestDeliverEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	sink := &fakeSink{refuse: 1 << 30}
	if err := deliver(ctx, sink, zerolog.Nop(), [][]byte{[]byte("a")}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}
