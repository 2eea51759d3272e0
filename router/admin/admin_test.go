package admin

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
)

// fakeRouter answers as a test says.
type fakeRouter struct {
	mu      sync.Mutex
	sent    []Outgoing
	err     error
	watcher func(Event, int64)
	entries []Entry
	orders  []string
	failing error
	letters []DeadLetter
	busy    string // a letter that cannot be redriven or dropped
	gone    []string
	queues  []Queue
	damaged []DamagedBatch
	pending []Event
}

func (f *fakeRouter) Nodes() []Node {
	return []Node{{ID: "bob", Online: true, Self: true, Channels: []Role{{"a", "reader", true}, {"b", "rw", false}}}, {ID: "alice", Online: true, Channels: []Role{{"a", "writer", false}, {"b", "reader", true}}},
		{ID: "zoe", Channels: []Role{{"a", "rw", true}}}}
}

func (f *fakeRouter) Audit() ([]AuditRecord, error) {
	return []AuditRecord{{ID: 2, By: "alice", Action: "kick bob from a", Outcome: "obeyed here", Over: true}}, f.err
}

func (f *fakeRouter) Kick(node string, channels []string) error {
	f.orders = append(f.orders, fmt.Sprint("kick ", node, channels))
	return f.failing
}

func (f *fakeRouter) Purge(p Purge, self bool) error {
	f.orders = append(f.orders, fmt.Sprint("purge ", p, self))
	return f.failing
}

func (f *fakeRouter) Replay(channel string) error {
	f.orders = append(f.orders, "replay "+channel)
	return f.failing
}

func (f *fakeRouter) Status() Status { return Status{Node: "n"} }
func (f *fakeRouter) Ready() error   { return f.err }

func (f *fakeRouter) Send(_ context.Context, channel string, m Outgoing) (Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return Receipt{}, f.err
	}
	f.sent = append(f.sent, m)
	return Receipt{ID: channel + "-1"}, nil
}

func (f *fakeRouter) Watch(channel string, w func(Event, int64)) (func(), error) {
	if channel != "c" {
		return nil, ErrNoChannel
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watcher = w
	return func() {}, nil
}

func (f *fakeRouter) SetPluginState(_ context.Context, plugin string, key, value []byte) error {
	f.orders = append(f.orders, fmt.Sprintf("set %s %s %q %v", plugin, key, value, value == nil))
	return f.err
}

func (f *fakeRouter) ReloadPlugin(_ context.Context, plugin string) (Reloaded, error) {
	return Reloaded{Changed: true, Plugin: Plugin{Name: plugin, Edition: 2}}, f.err
}

func (f *fakeRouter) PluginState(plugin string, prefix, after []byte, limit int) ([]Entry, error) {
	if plugin != "p" {
		return nil, ErrNoPlugin
	}
	var out []Entry
	for _, e := range f.entries {
		if strings.HasPrefix(string(e.Key), string(prefix)) && string(e.Key) > string(after) && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *fakeRouter) DeadLetters(q DeadLetterFilter) (out []DeadLetter, err error) {
	for _, l := range f.letters {
		if l.ID > q.After && (q.Through == "" || l.ID <= q.Through) && (q.Channel == "" || q.Channel == l.Channel) && len(out) < q.Limit {
			out = append(out, l)
		}
	}
	return out, f.err
}

func (f *fakeRouter) DeadLetterMark() (string, error) { return f.letters[len(f.letters)-1].ID, nil }

func (f *fakeRouter) DeadLetter(id string) (*DeadLetter, error) {
	for i := range f.letters {
		if f.letters[i].ID == id {
			return &f.letters[i], nil
		}
	}
	return nil, ErrNoDeadLetter
}

func (f *fakeRouter) Redrive(_ context.Context, id string) error { return f.DropDeadLetter(id) }

func (f *fakeRouter) DropDeadLetter(id string) error {
	if f.err != nil {
		return f.err
	}
	if id == f.busy {
		return engine.ErrDeadLetterBusy
	}
	_, err := f.DeadLetter(id)
	if err == nil {
		f.gone = append(f.gone, id)
	}
	return err
}

func (f *fakeRouter) Journal(channel string, q JournalQuery) ([]Event, bool, error) {
	if channel != "c" {
		return nil, false, engine.ErrNoJournal
	}
	from := 0
	for i, e := range f.pending {
		if e.ID == q.After {
			from = i + 1
		}
	}
	if q.Last > 0 {
		from = max(from, len(f.pending)-q.Last)
	}
	to := min(from+q.Limit, len(f.pending))
	return f.pending[from:to], to < len(f.pending), nil
}

func (f *fakeRouter) DamagedBatches() ([]DamagedBatch, error) { return f.damaged, f.err }

func (f *fakeRouter) Queues() []Queue { return f.queues }

func (f *fakeRouter) Pending(_, reader string, after uint64, limit int) ([]Event, error) {
	if reader != "r" {
		return nil, engine.ErrNoQueue
	}
	from := min(int(after), len(f.pending))
	return f.pending[from:min(from+limit, len(f.pending))], nil
}

func request(f *fakeRouter, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:8420"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Add(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	Handler(f, Options{MaxBody: 10, Logger: zerolog.Nop()}).ServeHTTP(w, r)
	return w
}

func TestErrorsBecomeProblems(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{engine.ErrReaderFull, 429}, {engine.ErrStorageFull, 507}, {ErrNoChannel, 404}, {engine.ErrTooLarge, 413}, {engine.ErrName, 422}, {engine.ErrRole, 409},
		{engine.ErrLeft, 409}, {engine.ErrClosed, 503}, {ErrHeld, 503}, {ErrRejected, 422}, {engine.ErrStorage, 500}, {errors.New("odd"), 500}, {context.DeadlineExceeded, 503},
	} {
		w := request(&fakeRouter{err: fmt.Errorf("here: %w", c.err)}, "POST", "/api/v1/channels/c/messages", "x")
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.status || p.Status != c.status || p.Detail != "here: "+c.err.Error() || p.Title == "" {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
		if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
			t.Errorf("%v: %s", c.err, kind)
		}
		if retry := w.Header().Get("Retry-After") != ""; retry != (c.status == 429 || c.status == 503) {
			t.Errorf("%v: Retry-After %v", c.err, retry)
		}
	}
}

func TestWhoIsLetIn(t *testing.T) {
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"localhost":            {nil, 200},
		"127.0.0.1":            {[]string{"Host", "127.0.0.1:8420"}, 200},
		"IPv6":                 {[]string{"Host", "[::1]:8420"}, 200},
		"own page":             {[]string{"Origin", "http://localhost:8420"}, 200},
		"rebound name":         {[]string{"Host", "evil.example"}, 403},
		"rebound with port":    {[]string{"Host", "evil.example:8420"}, 403},
		"looks local":          {[]string{"Host", "localhost.evil.example"}, 403},
		"looks like loopback":  {[]string{"Host", "127.0.0.1.evil.example"}, 403},
		"no host":              {[]string{"Host", ""}, 403},
		"other origin":         {[]string{"Origin", "http://evil.example"}, 403},
		"other port's page":    {[]string{"Origin", "http://localhost:3000"}, 403},
		"page from a file":     {[]string{"Origin", "null"}, 403},
		"rebound, same origin": {[]string{"Host", "evil.example", "Origin", "http://evil.example"}, 403},
		"cross site":           {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		f := &fakeRouter{}
		if w := request(f, "POST", "/api/v1/channels/c/messages", "x", c.header...); w.Code != c.status || (len(f.sent) == 1) != (c.status == 200) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestSend(t *testing.T) {
	f := &fakeRouter{}
	w := request(f, "POST", "/api/v1/channels/c/messages?ttl=3s", "body", "Rmds-Header-Trace", "t1", "Rmds-TTL", "9s")
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"id":"c-1"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	m := f.sent[0]
	if string(m.Data) != "body" || m.TTL != 3*time.Second || !slices.Equal(m.Headers, []Header{{"trace", "t1"}}) {
		t.Errorf("%+v", m)
	}
	for path, status := range map[string]int{
		"/api/v1/channels/c/messages?ttl=soon": 400, "/api/v1/channels/c/messages?ttl=-1s": 400, "/api/v1/nothing": 404,
	} {
		if w := request(f, "POST", path, "x"); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
	if w := request(f, "POST", "/api/v1/channels/c/messages", "0123456789x"); w.Code != 413 {
		t.Errorf("a body above the limit: %d", w.Code)
	}
	if w := request(f, "POST", "/api/v1/channels/c/messages", "0123456789"); w.Code != 200 {
		t.Errorf("a body at the limit: %d", w.Code)
	}
}

func TestReady(t *testing.T) {
	if w := request(&fakeRouter{}, "GET", "/readyz", ""); w.Code != 200 {
		t.Error(w.Code)
	}
	if w := request(&fakeRouter{err: engine.ErrStorage}, "GET", "/readyz", ""); w.Code != 503 {
		t.Error(w.Code)
	}
	if w := request(&fakeRouter{err: engine.ErrStorage}, "GET", "/healthz", ""); w.Code != 200 {
		t.Error(w.Code)
	}
}

func TestStatePages(t *testing.T) {
	f := &fakeRouter{}
	for i := range 5 {
		f.entries = append(f.entries, Entry{Key: fmt.Appendf(nil, "k%d", i), Value: binary.LittleEndian.AppendUint64(nil, uint64(i))})
	}
	f.entries = append(f.entries, Entry{Key: []byte("\xff"), Value: []byte("text")})
	var keys []string
	next := ""
	for range 3 {
		w := request(f, "GET", "/api/v1/plugins/p/state?prefix=k&limit=2&after="+next, "")
		var page struct {
			Entries []struct {
				Text string
				Key  []byte
				Int  *int64
			}
			Next string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, e := range page.Entries {
			if string(e.Key) != e.Text || e.Int == nil || fmt.Sprintf("k%d", *e.Int) != e.Text {
				t.Errorf("%+v", e)
			}
			keys = append(keys, e.Text)
		}
		next = page.Next
	}
	if strings.Join(keys, "") != "k0k1k2k3k4" || next != "" {
		t.Errorf("%v, next %q", keys, next)
	}
	if w := request(f, "GET", "/api/v1/plugins/p/state?after="+base64.URLEncoding.EncodeToString([]byte("k4")), ""); !strings.Contains(w.Body.String(), `{"key":"/w==","value":"dGV4dA==","value_text":"text"}`) {
		t.Error(w.Body)
	}
	for path, status := range map[string]int{"x/state": 404, "p/state?limit=0": 400, "p/state?limit=1001": 400, "p/state?after=%25": 400} {
		if w := request(f, "GET", "/api/v1/plugins/"+path, ""); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}

func serve(t *testing.T, f *fakeRouter) *Server {
	t.Helper()
	s, err := Listen(Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(f, Options{MaxBody: 1 << 20, Logger: zerolog.Nop()})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestClientAgainstServer(t *testing.T) {
	f := &fakeRouter{}
	c := NewClient(serve(t, f).Address())
	if s, err := c.Status(t.Context()); err != nil || s.Node != "n" {
		t.Errorf("%+v, %v", s, err)
	}
	r, err := c.Send(t.Context(), "c", Outgoing{Data: []byte("x"), TTL: time.Second, Headers: []Header{{"A", "b"}}})
	if err != nil || r.ID != "c-1" || f.sent[0].TTL != time.Second || !slices.Equal(f.sent[0].Headers, []Header{{"a", "b"}}) {
		t.Errorf("%+v, %v, %+v", r, err, f.sent)
	}
	f.err = engine.ErrReaderFull
	var p *Problem
	if _, err := c.Send(t.Context(), "c", Outgoing{}); !errors.As(err, &p) || p.Status != 429 {
		t.Errorf("got %v", err)
	}
}

func TestTail(t *testing.T) {
	f := &fakeRouter{}
	c := NewClient(serve(t, f).Address())
	var got []string
	var lost int64
	enough := errors.New("enough")
	err := c.Tail(t.Context(), "c", func() {
		go func() {
			f.watcher(Event{ID: "1", Data: "line\nfeed"}, 0)
			f.watcher(Event{ID: "2", DataBase64: []byte{255}}, 7)
		}()
	}, func(e Event) error {
		got = append(got, e.ID+e.Data+string(e.DataBase64))
		if len(got) == 2 {
			return enough
		}
		return nil
	}, func(n int64) { lost += n })
	if !errors.Is(err, enough) || strings.Join(got, "|") != "1line\nfeed|2\xff" || lost != 7 {
		t.Errorf("%v, %q, lost %d", err, got, lost)
	}
	if err := c.Tail(t.Context(), "x", func() {}, nil, nil); err == nil || !strings.Contains(err.Error(), ErrNoChannel.Error()) {
		t.Errorf("got %v", err)
	}
}

func TestASlowWatcherLosesAndIsTold(t *testing.T) {
	f := &fakeRouter{}
	c := NewClient(serve(t, f).Address())
	const many = 20_000
	var seen, lost int64
	enough := errors.New("enough")
	big := strings.Repeat("x", 4<<10)
	var told sync.WaitGroup
	heard := make(chan struct{})
	err := c.Tail(t.Context(), "c", func() {
		for range many { // far more than the connection's buffers hold while nobody reads
			f.watcher(Event{ID: "1", Data: big}, 0)
		}
		told.Go(func() { // until the stream says what it lost
			for tick := time.NewTicker(time.Millisecond); ; {
				f.watcher(Event{ID: "2"}, 0)
				select {
				case <-tick.C:
				case <-heard:
					return
				}
			}
		})
	}, func(e Event) error {
		if e.ID == "2" && lost > 0 {
			return enough
		}
		seen++
		return nil
	}, func(n int64) { lost += n })
	close(heard)
	told.Wait()
	if !errors.Is(err, enough) || lost == 0 || seen+lost < many {
		t.Errorf("%v: seen %d, lost %d", err, seen, lost)
	}
}

func TestListenErrors(t *testing.T) {
	s := serve(t, &fakeRouter{})
	for address, want := range map[string]string{s.Address(): "is taken", "0.0.0.0:0": "not on the loopback interface", "example.com:1": "not on the loopback interface"} {
		if _, err := Listen(Options{Listen: address}); !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), "http.listen: "+address) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", address, err)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	l := httptest.NewServer(http.NotFoundHandler())
	address := l.URL
	if _, err := NewClient(address).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "is this a router's HTTP address?") {
		t.Errorf("got %v", err)
	}
	l.Close()
	if _, err := NewClient(address).Status(t.Context()); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "rmds-router run") {
		t.Errorf("got %v", err)
	}
}

func FuzzRequests(f *testing.F) {
	f.Add("POST", "/api/v1/channels/c/messages?ttl=1s", "x", "localhost", "")
	f.Add("GET", "/api/v1/plugins/p/state?after=%ff&limit=9", "", "[::1]:80", "null")
	f.Fuzz(func(t *testing.T, method, path, body, host, origin string) {
		r, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/stream") {
			return
		}
		if r.URL, err = r.URL.Parse(path); err != nil {
			return
		}
		r.Host = host
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		Handler(&fakeRouter{}, Options{MaxBody: 10, Logger: zerolog.Nop()}).ServeHTTP(w, r)
		if w.Code >= 500 {
			data, _ := io.ReadAll(w.Body)
			t.Errorf("%d %s", w.Code, data)
		}
	})
}
