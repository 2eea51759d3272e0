package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// ErrNotRunning means that no router listens at the client's address.
var ErrNotRunning = errors.New("no router is running")

// Client reaches a router's API. Errors the router answers with are *Problem.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client for a router at host:port, with or without http://.
func NewClient(address string) *Client {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	return &Client{base: strings.TrimRight(address, "/"), http: &http.Client{}}
}

func (c *Client) do(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("the address %s is not usable: %w", c.base, err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := c.http.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w at %s: start one with \"rmds-router run\", or name another with --http or RMDS_HTTP", ErrNotRunning, c.base)
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind == "application/problem+json" {
		var p Problem
		if json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&p) == nil && p.Detail != "" {
			return nil, &p
		}
	}
	return nil, fmt.Errorf("%s answered %s: is this a router's HTTP address?", c.base, response.Status)
}

// Status asks for the router's state.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	response, err := c.do(ctx, http.MethodGet, "/api/v1/status", nil, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var s Status
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		return nil, fmt.Errorf("read the status: %w", err)
	}
	return &s, nil
}

// Send returns once the message is durable at the router.
func (c *Client) Send(ctx context.Context, channel string, m Outgoing) (*Receipt, error) {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if m.TTL > 0 {
		header.Set("Rmds-TTL", m.TTL.String())
	}
	for _, h := range m.Headers {
		header.Add(headerPrefix+h.Name, h.Value)
	}
	response, err := c.do(ctx, http.MethodPost, "/api/v1/channels/"+url.PathEscape(channel)+"/messages", header, bytes.NewReader(m.Data))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var receipt Receipt
	if err := json.NewDecoder(response.Body).Decode(&receipt); err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	return &receipt, nil
}

// Counter asks for a plugin's durable key that is a counter; 0 if there is no such key.
func (c *Client) Counter(ctx context.Context, plugin, key string) (int64, error) {
	query := url.Values{"prefix": {key}, "limit": {"1"}}
	response, err := c.do(ctx, http.MethodGet, "/api/v1/plugins/"+url.PathEscape(plugin)+"/state?"+query.Encode(), nil, nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var page struct{ Entries []entryJSON }
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
		return 0, fmt.Errorf("read the keys of %s: %w", plugin, err)
	}
	if len(page.Entries) == 0 || string(page.Entries[0].Key) != key {
		return 0, nil
	}
	if page.Entries[0].Int == nil {
		return 0, fmt.Errorf("the key %s of %s is no counter", key, plugin)
	}
	return *page.Entries[0].Int, nil
}

// Tail calls f with the channel's messages until ctx is done or f fails, and lost with how many were missed for reading too
// slowly. started is called once the router watches.
func (c *Client) Tail(ctx context.Context, channel string, started func(), f func(Event) error, lost func(n int64)) error {
	response, err := c.do(ctx, http.MethodGet, "/api/v1/channels/"+url.PathEscape(channel)+"/stream", nil, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	kind := ""
	lines := bufio.NewReader(response.Body)
	for {
		text, err := lines.ReadString('\n')
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("the router closed the stream: %w", err)
		}
		text = strings.TrimSuffix(text, "\n")
		switch name, value, _ := strings.Cut(text, ": "); {
		case text == ": watching":
			started()
		case name == "event":
			kind = value
		case name == "data" && kind == "message":
			var e Event
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				return fmt.Errorf("read an event: %w", err)
			}
			if err := f(e); err != nil {
				return err
			}
		case name == "data" && kind == "lost":
			var n struct{ Count int64 }
			if json.Unmarshal([]byte(value), &n) == nil {
				lost(n.Count)
			}
		}
	}
}

// Await asks until the router answers or ctx is done.
func (c *Client) Await(ctx context.Context) error {
	for {
		_, err := c.Status(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
