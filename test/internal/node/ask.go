package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/getevo/rmds-router/router/admin"
)

// patience bounds one question to a router, which may be killed before it answers.
const patience = 5 * time.Second

// sendPatience bounds a send. It is long: a send that is given up on may still be carried out, behind one that was begun later.
const sendPatience = 2 * time.Minute

// Status asks the router for its state.
func (n *Node) Status(ctx context.Context) (*admin.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return n.client.Status(ctx)
}

// Send gives the router a message and returns when it is durable there.
func (n *Node) Send(ctx context.Context, channel string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	_, err := n.client.Send(ctx, channel, admin.Outgoing{Data: data})
	return err
}

// Counters returns every durable key of a plugin whose values are all counters.
func (n *Node) Counters(ctx context.Context, plugin string) (map[string]int64, error) {
	counters, after := map[string]int64{}, ""
	for {
		query := url.Values{"limit": {"1000"}, "after": {after}}
		page, err := n.page(ctx, "http://"+n.HTTP+"/api/v1/plugins/"+url.PathEscape(plugin)+"/state?"+query.Encode())
		if err != nil {
			return nil, fmt.Errorf("read the keys of %s on %s: %w", plugin, n.Name, err)
		}
		for _, e := range page.Entries {
			if e.Value == nil {
				return nil, fmt.Errorf("the key %q of %s on %s is no counter", e.Key, plugin, n.Name)
			}
			counters[string(e.Key)] = *e.Value
		}
		if page.Next == "" {
			return counters, nil
		}
		after = page.Next
	}
}

type statePage struct {
	Entries []struct {
		Key   []byte `json:"key"`
		Value *int64 `json:"int"`
	} `json:"entries"`
	Next string `json:"next"`
}

func (n *Node) page(ctx context.Context, address string) (*statePage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fmt.Errorf("%s: %s", response.Status, text)
	}
	var page statePage
	return &page, json.NewDecoder(response.Body).Decode(&page)
}

// Account returns the account of one reader of a channel; false if there is none yet.
func Account(s *admin.Status, channel, reader string) (admin.Account, bool) {
	for _, a := range s.Accounts {
		if a.Channel == channel && a.Reader == reader {
			return a, true
		}
	}
	return admin.Account{}, false
}
