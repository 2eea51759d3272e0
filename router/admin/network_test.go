package admin

import (
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
)

func clientOf(t *testing.T, f *fakeRouter) *Client {
	t.Helper()
	server := httptest.NewServer(Handler(f, Options{MaxBody: 10, Logger: zerolog.Nop()}))
	t.Cleanup(server.Close)
	return NewClient(server.URL)
}

func TestTheNetworkIsListed(t *testing.T) {
	f := &fakeRouter{}
	c := clientOf(t, f)
	nodes, err := c.Nodes(t.Context())
	if err != nil || !reflect.DeepEqual(nodes, f.Nodes()) {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
	want := []NetworkChannel{{"a", []string{"alice", "zoe"}, []string{"bob", "zoe"}}, {"b", []string{"bob"}, []string{"alice", "bob"}}}
	if got := ChannelsOf(nodes); !reflect.DeepEqual(got, want) {
		t.Errorf("channels %+v, want %+v", got, want)
	}
	links := []Link{{"a", "alice", "bob", true}, {"a", "alice", "zoe", false}, {"a", "zoe", "bob", false}, {"b", "bob", "alice", true}}
	if got := Links(nodes); !slices.Equal(got, links) {
		t.Errorf("links %+v, want %+v", got, links)
	}
	if w := request(f, "GET", "/api/v1/topology", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `{"channel":"b","writer":"bob","reader":"alice","open":true}`) {
		t.Errorf("topology: %d %s", w.Code, w.Body)
	}
	if w := request(f, "GET", "/api/v1/channels", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `{"name":"b","writers":["bob"],"readers":["alice","bob"]}`) {
		t.Errorf("channels: %d %s", w.Code, w.Body)
	}
	audit, err := c.Audit(t.Context())
	if err != nil || len(audit) != 1 || audit[0].By != "alice" {
		t.Errorf("audit %+v, %v", audit, err)
	}
}

func TestOrders(t *testing.T) {
	f := &fakeRouter{}
	c := clientOf(t, f)
	for name, give := range map[string]func() (Obeyed, error){
		"kick bob[a b]":        func() (Obeyed, error) { return c.Kick(t.Context(), "bob", []string{"a", "b"}) },
		"kick bob[]":           func() (Obeyed, error) { return c.Kick(t.Context(), "bob", nil) },
		"purge deliveredfalse": func() (Obeyed, error) { return c.Purge(t.Context(), PurgeDelivered, false) },
		"replay a":             func() (Obeyed, error) { return c.Replay(t.Context(), "a") },
		"purge alltrue":        func() (Obeyed, error) { return c.Purge(t.Context(), PurgeAll, true) },
	} {
		f.orders, f.failing = nil, nil
		if got, err := give(); err != nil || len(got.Failures) != 0 || !slices.Equal(f.orders, []string{name}) {
			t.Errorf("%s: %v, %v, ordered %v", name, got, err, f.orders)
		}
		f.failing = engine.OrderError{{Node: "zoe", Err: engine.ErrNoAnswer}}
		if got, err := give(); err != nil || !slices.Equal(got.Failures, []Failure{{"zoe", engine.ErrNoAnswer.Error()}}) {
			t.Errorf("%s without an answer: %v, %v", name, got, err)
		}
		f.failing = fmt.Errorf("%w: x", ErrNoNode)
		if _, err := give(); err == nil {
			t.Errorf("%s that fails gives no error", name)
		}
	}
}

// TestOrdersAreGuarded: nothing but a POST that makes sense, and not from a web page elsewhere, gives an order.
func TestOrdersAreGuarded(t *testing.T) {
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/api/v1/purge?what=all", nil, 404}, {"GET", "/api/v1/nodes/bob/kick", nil, 404}, {"POST", "/api/v1/purge", nil, 400}, {"POST", "/api/v1/purge?what=everything", nil, 400},
		{"POST", "/api/v1/purge?what=all&self=perhaps", nil, 400}, {"POST", "/api/v1/purge?what=all", []string{"Origin", "http://evil.example"}, 403},
		{"POST", "/api/v1/nodes/bob/kick", []string{"Host", "evil.example"}, 403}, {"GET", "/api/v1/channels/a/replay", nil, 404},
		{"POST", "/api/v1/channels/a/replay", []string{"Origin", "http://evil.example"}, 403},
	} {
		f := &fakeRouter{}
		if w := request(f, c.method, c.path, "", c.header...); w.Code != c.status || len(f.orders) != 0 {
			t.Errorf("%s %s %v: %d, ordered %v", c.method, c.path, c.header, w.Code, f.orders)
		}
	}
}
