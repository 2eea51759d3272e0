package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// JournalQuery chooses messages of a channel's journal; the zero value of a field leaves it out.
type JournalQuery struct {
	Last  int       // the newest so many
	Since time.Time // received from then on
	After string    // received after the message with this id
	Limit int
}

// JournalPage is the answer to GET /api/v1/channels/{channel}/journal. Next, if not empty, is the after of the next page.
type JournalPage struct {
	Messages []Event `json:"messages"`
	Next     string  `json:"next,omitempty"`
}

const maxJournalPage = 1000

func (a *api) journal(w http.ResponseWriter, r *http.Request) {
	q, err := journalQuery(r.URL.Query(), time.Now())
	if err != nil {
		writeProblem(w, err)
		return
	}
	list, more, err := a.router.Journal(r.PathValue("channel"), q)
	if err != nil {
		writeProblem(w, err)
		return
	}
	page := JournalPage{Messages: list}
	if more && len(list) > 0 {
		page.Next = list[len(list)-1].ID
	}
	if list == nil {
		page.Messages = []Event{}
	}
	writeJSON(w, page)
}

func journalQuery(v url.Values, now time.Time) (q JournalQuery, err error) {
	q = JournalQuery{After: v.Get("after"), Limit: maxJournalPage}
	for name, n := range map[string]*int{"last": &q.Last, "limit": &q.Limit} {
		if text := v.Get(name); text != "" {
			if *n, err = strconv.Atoi(text); err != nil || *n < 1 {
				return q, badRequest("%s %q is not a number above zero", name, text)
			}
		}
	}
	q.Limit = min(q.Limit, maxJournalPage)
	if text := v.Get("since"); text != "" {
		if d, err := time.ParseDuration(text); err == nil && d > 0 {
			q.Since = now.Add(-d)
		} else if q.Since, err = time.Parse(time.RFC3339, text); err != nil {
			return q, badRequest("since %q is neither a duration such as 1h nor a time such as 2006-01-02T15:04:05Z", text)
		}
	}
	return q, nil
}

// Journal asks for a page of a channel's journal.
func (c *Client) Journal(ctx context.Context, channel string, q JournalQuery) (*JournalPage, error) {
	v := url.Values{}
	if q.Last > 0 {
		v.Set("last", strconv.Itoa(q.Last))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.After != "" {
		v.Set("after", q.After)
	}
	var page JournalPage
	return &page, c.get(ctx, "/api/v1/channels/"+url.PathEscape(channel)+"/journal", v, &page)
}
