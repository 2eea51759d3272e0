package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/getevo/rmds-router/engine"
)

// ErrNoNode means that no join of such a node is known.
var ErrNoNode = errors.New("no such node")

// Network is what the API needs of a router to look at the network and to give orders in it.
type Network interface {
	// Nodes lists every known node, this one first, then by id.
	Nodes() []Node
	// Audit lists the orders that this node gave or obeyed, newest first.
	Audit() ([]AuditRecord, error)
	// Kick ends a node's joins to the channels named, or to all. It returns when every node that is online has answered, or did not in time. An
	// error is an engine.OrderError, or says why nothing was ordered.
	Kick(node string, channels []string) error
	// Purge removes messages, on every node that is online or on this one alone. It returns as Kick does.
	Purge(p Purge, self bool) error
	// Replay has what the channel's senders still keep delivered to this node again. It returns when that is on record here.
	Replay(channel string) error
}

// Purge says what to remove.
type Purge string

// What can be removed.
const (
	PurgePending   Purge = "pending"
	PurgeDelivered Purge = "delivered"
	PurgeAll       Purge = "all"
)

// Node is one node of the network. Durations are in seconds.
type Node struct {
	ID        string  `json:"id"`
	Store     string  `json:"store"`
	Version   string  `json:"version"`
	Online    bool    `json:"online"`
	Self      bool    `json:"self"`
	LastSeenS float64 `json:"last_seen_s"`
	UptimeS   float64 `json:"uptime_s"`
	Channels  []Role  `json:"channels"`
}

// Role is what a node does on a channel.
type Role struct {
	Channel string `json:"channel"`
	Mode    string `json:"mode"` // reader, writer or rw
	// Ready says that a consumer is attached.
	Ready bool `json:"ready"`
}

// Topology is the answer to GET /api/v1/topology: who sends to whom.
type Topology struct {
	Nodes []Node `json:"nodes"`
	Links []Link `json:"links"`
}

// Link says that what one node sends on a channel goes to another.
type Link struct {
	Channel string `json:"channel"`
	Writer  string `json:"writer"`
	Reader  string `json:"reader"`
	// Open says that both are online and the reader has a consumer.
	Open bool `json:"open"`
}

// NetworkChannel is a channel of the network, and who has joined it.
type NetworkChannel struct {
	Name    string   `json:"name"`
	Writers []string `json:"writers"`
	Readers []string `json:"readers"`
}

// AuditRecord is an order, and what came of it.
type AuditRecord struct {
	ID      int64  `json:"id"`
	TimeMs  int64  `json:"time_ms"`
	By      string `json:"by"`
	Action  string `json:"action"`
	Outcome string `json:"outcome"`
	Failed  bool   `json:"failed"`
	Over    bool   `json:"over"`
}

// Obeyed is the answer to an order: the nodes that have not obeyed it, of those that were online.
type Obeyed struct {
	Failures []Failure `json:"failures"`
}

// Failure says why a node has not obeyed.
type Failure struct {
	Node  string `json:"node"`
	Error string `json:"error"`
}

// Links lists who sends to whom, by channel, writer and reader.
func Links(nodes []Node) []Link {
	links := []Link{}
	for _, c := range ChannelsOf(nodes) {
		for _, w := range c.Writers {
			for _, r := range c.Readers {
				if w != r {
					links = append(links, Link{Channel: c.Name, Writer: w, Reader: r, Open: online(nodes, w) && online(nodes, r) && ready(nodes, r, c.Name)})
				}
			}
		}
	}
	return links
}

func online(nodes []Node, id string) bool {
	return slices.ContainsFunc(nodes, func(n Node) bool { return n.ID == id && n.Online })
}

func ready(nodes []Node, id, channel string) bool {
	return slices.ContainsFunc(nodes, func(n Node) bool {
		return n.ID == id && slices.ContainsFunc(n.Channels, func(r Role) bool { return r.Channel == channel && r.Ready })
	})
}

// ChannelsOf lists the channels of nodes by name.
func ChannelsOf(nodes []Node) []NetworkChannel {
	list := []NetworkChannel{}
	for _, n := range nodes {
		for _, r := range n.Channels {
			i, found := slices.BinarySearchFunc(list, r.Channel, func(c NetworkChannel, name string) int {
				if c.Name < name {
					return -1
				} else if c.Name > name {
					return 1
				}
				return 0
			})
			if !found {
				list = slices.Insert(list, i, NetworkChannel{Name: r.Channel, Writers: []string{}, Readers: []string{}})
			}
			if r.Mode != engine.ReadOnly.String() {
				list[i].Writers = append(list[i].Writers, n.ID)
			}
			if r.Mode != engine.WriteOnly.String() {
				list[i].Readers = append(list[i].Readers, n.ID)
			}
		}
	}
	for i := range list {
		slices.Sort(list[i].Writers)
		slices.Sort(list[i].Readers)
	}
	return list
}

func (a *api) network(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/nodes", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.router.Nodes()) })
	mux.HandleFunc("GET /api/v1/topology", func(w http.ResponseWriter, _ *http.Request) {
		nodes := a.router.Nodes()
		writeJSON(w, Topology{Nodes: nodes, Links: Links(nodes)})
	})
	mux.HandleFunc("GET /api/v1/channels", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, ChannelsOf(a.router.Nodes())) })
	mux.HandleFunc("GET /api/v1/audit", a.audit)
	mux.HandleFunc("POST /api/v1/nodes/{node}/kick", func(w http.ResponseWriter, r *http.Request) {
		writeObeyed(w, a.router.Kick(r.PathValue("node"), r.URL.Query()["channel"]))
	})
	mux.HandleFunc("POST /api/v1/purge", a.purge)
	mux.HandleFunc("POST /api/v1/channels/{channel}/replay", func(w http.ResponseWriter, r *http.Request) {
		writeObeyed(w, a.router.Replay(r.PathValue("channel")))
	})
}

func (a *api) audit(w http.ResponseWriter, _ *http.Request) {
	list, err := a.router.Audit()
	if err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, list)
}

func (a *api) purge(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	self := false
	if text := q.Get("self"); text != "" {
		var err error
		if self, err = strconv.ParseBool(text); err != nil {
			writeProblem(w, badRequest("self is %q, not true or false", text))
			return
		}
	}
	p := Purge(q.Get("what"))
	if p != PurgePending && p != PurgeDelivered && p != PurgeAll {
		writeProblem(w, badRequest("what is %q, none of pending, delivered and all", string(p)))
		return
	}
	writeObeyed(w, a.router.Purge(p, self))
}

func writeObeyed(w http.ResponseWriter, err error) {
	out := Obeyed{Failures: []Failure{}}
	var failures engine.OrderError
	if err != nil && !errors.As(err, &failures) {
		writeProblem(w, err)
		return
	}
	for _, f := range failures {
		out.Failures = append(out.Failures, Failure{Node: f.Node, Error: f.Err.Error()})
	}
	writeJSON(w, out)
}

func ask[T any](ctx context.Context, c *Client, method, path string) (T, error) {
	var answer T
	response, err := c.do(ctx, method, path, nil, nil)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<20)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the answer: %w", err)
	}
	return answer, nil
}

// Nodes lists every node that the router knows.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	return ask[[]Node](ctx, c, http.MethodGet, "/api/v1/nodes")
}

// Audit lists the orders that the router gave or obeyed, newest first.
func (c *Client) Audit(ctx context.Context) ([]AuditRecord, error) {
	return ask[[]AuditRecord](ctx, c, http.MethodGet, "/api/v1/audit")
}

// Kick ends a node's joins to the channels named, or to all.
func (c *Client) Kick(ctx context.Context, node string, channels []string) (Obeyed, error) {
	q := url.Values{"channel": channels}
	return ask[Obeyed](ctx, c, http.MethodPost, "/api/v1/nodes/"+url.PathEscape(node)+"/kick?"+q.Encode())
}

// Purge removes messages on every node, or on the router alone.
func (c *Client) Purge(ctx context.Context, p Purge, self bool) (Obeyed, error) {
	q := url.Values{"what": {string(p)}, "self": {strconv.FormatBool(self)}}
	return ask[Obeyed](ctx, c, http.MethodPost, "/api/v1/purge?"+q.Encode())
}

// Replay has what a channel's senders still keep delivered to the router again.
func (c *Client) Replay(ctx context.Context, channel string) (Obeyed, error) {
	return ask[Obeyed](ctx, c, http.MethodPost, "/api/v1/channels/"+url.PathEscape(channel)+"/replay")
}
