package admin

import (
	"net/http"
	"strconv"
)

// Queue is what waits on a channel for one reader.
type Queue struct {
	Channel string `json:"channel"`
	// Reader is a node; empty: whoever joins first.
	Reader  string `json:"reader"`
	Pending int64  `json:"pending"`
	// Oldest is the sequence of the first message that waits; OldestMs when it was sent, Unix milliseconds; 0: unknown.
	Oldest   uint64 `json:"oldest,omitempty"`
	OldestMs int64  `json:"oldest_ms,omitempty"`
	Online   bool   `json:"online"`
}

// PendingPage is the answer to GET /api/v1/queues/{channel}/messages. Next, if not 0, is the after of the next page.
type PendingPage struct {
	Messages []Event `json:"messages"`
	Next     uint64  `json:"next,omitempty"`
}

const maxPendingPage = 100

func (a *api) queues(w http.ResponseWriter, _ *http.Request) {
	list := a.router.Queues()
	if list == nil {
		list = []Queue{}
	}
	writeJSON(w, list)
}

func (a *api) pending(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, limit := uint64(0), maxPendingPage
	var err error
	if text := q.Get("after"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			writeProblem(w, badRequest("after %q is not a sequence", text))
			return
		}
	}
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPendingPage {
			writeProblem(w, badRequest("limit %q is not a number from 1 to %d", text, maxPendingPage))
			return
		}
	}
	list, err := a.router.Pending(r.PathValue("channel"), q.Get("reader"), after, limit)
	if err != nil {
		writeProblem(w, err)
		return
	}
	page := PendingPage{Messages: list}
	if len(list) == limit {
		page.Next = list[limit-1].Seq
	}
	if list == nil {
		page.Messages = []Event{}
	}
	writeJSON(w, page)
}
