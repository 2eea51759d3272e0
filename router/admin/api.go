package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// headerPrefix marks the HTTP headers that become headers of a message, without it and in lower case.
const headerPrefix = "Rmds-Header-"

type api struct {
	Options
	router  Router
	streams chan struct{}
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value) //nolint:errcheck // the client is gone
}

func (a *api) ready(w http.ResponseWriter, _ *http.Request) {
	if err := a.router.Ready(); err != nil {
		writeProblem(w, newProblem(http.StatusServiceUnavailable, "Not ready", err.Error()))
		return
	}
	io.WriteString(w, "ready\n") //nolint:errcheck // the client is gone
}

func (a *api) status(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.router.Status()) }

func badRequest(format string, args ...any) error {
	return newProblem(http.StatusBadRequest, "Bad request", fmt.Sprintf(format, args...))
}

func (a *api) send(w http.ResponseWriter, r *http.Request) {
	m, err := a.outgoing(w, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	receipt, err := a.router.Send(r.Context(), r.PathValue("channel"), m)
	if err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, receipt)
}

func (a *api) outgoing(w http.ResponseWriter, r *http.Request) (Outgoing, error) {
	var m Outgoing
	ttl := r.Header.Get("Rmds-TTL")
	if q := r.URL.Query().Get("ttl"); q != "" {
		ttl = q
	}
	if ttl != "" {
		d, err := time.ParseDuration(ttl)
		if err != nil || d <= 0 {
			return m, badRequest("the TTL %q is not a duration above zero, such as 10s", ttl)
		}
		m.TTL = d
	}
	for name, values := range r.Header {
		if name, ok := strings.CutPrefix(name, headerPrefix); ok && name != "" {
			for _, v := range values {
				m.Headers = append(m.Headers, Header{strings.ToLower(name), v})
			}
		}
	}
	// An error here means a connection without deadlines, as in tests without a network.
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) //nolint:errcheck // see above
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.MaxBody))
	if err != nil {
		return m, fmt.Errorf("read the message: %w", err)
	}
	m.Data = data
	return m, nil
}

// The number of keys in a page of state.
const (
	statePage    = 100
	maxStatePage = 1000
)

func (a *api) state(w http.ResponseWriter, r *http.Request) {
	page, err := a.statePage(r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, page)
}

func (a *api) statePage(r *http.Request) (*StatePage, error) {
	q := r.URL.Query()
	limit := statePage
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxStatePage {
			return nil, badRequest("limit %q is not a number from 1 to %d", text, maxStatePage)
		}
		limit = n
	}
	after, err := base64.URLEncoding.DecodeString(q.Get("after"))
	if err != nil {
		return nil, badRequest("after is not what an earlier page gave as next")
	}
	entries, err := a.router.PluginState(r.PathValue("plugin"), []byte(q.Get("prefix")), after, limit)
	if err != nil {
		return nil, err
	}
	page := &StatePage{Entries: []json.RawMessage{}}
	for _, e := range entries {
		data, err := json.Marshal(e.json())
		if err != nil {
			return nil, err
		}
		page.Entries = append(page.Entries, data)
	}
	if len(entries) == limit {
		page.Next = base64.URLEncoding.EncodeToString(entries[limit-1].Key)
	}
	return page, nil
}

func (e Entry) json() entryJSON {
	out := entryJSON{Key: e.Key, Value: e.Value}
	out.Text = readable(e.Key)
	if len(e.Value) == 8 {
		n := int64(binary.LittleEndian.Uint64(e.Value))
		out.Int = &n
	} else {
		out.ValueText = readable(e.Value)
	}
	return out
}

// readable is bytes as text, nil if they are none.
func readable(b []byte) *string {
	if !utf8.Valid(b) || bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' }) {
		return nil
	}
	text := string(b)
	return &text
}
