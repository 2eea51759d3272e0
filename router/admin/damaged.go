package admin

import (
	"context"
	"net/http"
)

// DamagedBatch is a run of messages that are damaged and ended as corrupt: in this node's own log, or as they came from another node. What is
// there of them is kept in the database.
type DamagedBatch struct {
	// Where is log for what this node sent, and received for what came damaged in every copy.
	Where   string `json:"where"`
	Node    string `json:"node"`    // the sender
	Channel string `json:"channel"` // empty: that cannot be read either
	First   uint64 `json:"first"`   // the sequence of the first message
	Last    uint64 `json:"last,omitempty"`
	Count   uint64 `json:"count,omitempty"` // of sequences; 0: it cannot be read
	FoundMs int64  `json:"found_ms"`
	Cause   string `json:"cause"`
	Kept    *int   `json:"kept,omitempty"` // bytes of what was received; 0: there was no room for them, or newer ones have taken it
}

func (a *api) damaged(w http.ResponseWriter, _ *http.Request) {
	list, err := a.router.DamagedBatches()
	if err != nil {
		writeProblem(w, err)
		return
	}
	if list == nil {
		list = []DamagedBatch{}
	}
	writeJSON(w, list)
}

// DamagedBatches asks for what is damaged.
func (c *Client) DamagedBatches(ctx context.Context) ([]DamagedBatch, error) {
	var list []DamagedBatch
	err := c.get(ctx, "/api/v1/damaged-batches", nil, &list)
	return list, err
}
