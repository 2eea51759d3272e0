package admin

import (
	"context"
	"net/http"
)

// Health is the answer to GET /healthz: that it comes at all says that the router is alive. The answer's status is always 200, for a restart ends
// none of these troubles.
type Health struct {
	Status   string    `json:"status"` // ok, or degraded: there is some trouble
	Troubles []Trouble `json:"troubles"`
}

// Trouble is one thing that does not work now. Nothing is lost by it.
type Trouble struct {
	Kind   string  `json:"kind"`            // storage, node, plugin, channel or subject
	Name   string  `json:"name,omitempty"`  // of the plugin, the channel or the subject
	Node   string  `json:"node,omitempty"`  // the reader that a channel rests for; empty: it waits here
	Detail string  `json:"detail"`          // what is wrong, with the way out
	ForS   float64 `json:"for_s,omitempty"` // since it began, if that is known
}

// StorageTrouble is what keeps the database from taking what it is given.
type StorageTrouble struct {
	Kind   string  `json:"kind"` // max_size, disk_full, reserve, read_only or failed
	Detail string  `json:"detail"`
	ForS   float64 `json:"for_s"`
}

// Troubles lists what does not work now, the worst first.
func (s *Status) Troubles() []Trouble {
	list := []Trouble{}
	if t := s.StorageTrouble; t != nil {
		list = append(list, Trouble{Kind: "storage", Name: t.Kind, Detail: t.Detail, ForS: t.ForS})
	}
	if s.Conflict != "" {
		list = append(list, Trouble{Kind: "node", Name: s.Node, Detail: s.Conflict})
	}
	for _, p := range s.Plugins {
		if p.Suspended {
			list = append(list, Trouble{Kind: "plugin", Name: p.Name, Detail: p.State})
		}
	}
	for _, c := range s.Channels {
		if c.State != "" && c.State != NoConsumer { // that is as it was configured
			list = append(list, Trouble{Kind: "channel", Name: c.Name, Detail: c.State})
		}
	}
	for _, one := range s.Suspended {
		list = append(list, Trouble{Kind: "channel", Name: one.Channel, Node: one.Reader, Detail: one.Reason, ForS: one.ForS})
	}
	for _, one := range s.Denied {
		list = append(list, Trouble{Kind: "subject", Name: one.Subject, Detail: one.Fix, ForS: one.ForS})
	}
	return list
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	s := a.router.Status()
	h := Health{Status: "ok", Troubles: s.Troubles()}
	if len(h.Troubles) > 0 {
		h.Status = "degraded"
	}
	writeJSON(w, h)
}

// Health asks whether the router is alive, and what does not work.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	var h Health
	return &h, c.get(ctx, "/healthz", nil, &h)
}

// Ready is nil if the router takes messages; else a *Problem that says why not, or why it could not be asked.
func (c *Client) Ready(ctx context.Context) error {
	response, err := c.do(ctx, http.MethodGet, "/readyz", nil, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
