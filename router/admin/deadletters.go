package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// ErrNoDeadLetter means there is no dead letter with this id.
var ErrNoDeadLetter = errors.New("no such dead letter on this node")

// DeadLetter is a message that this node gave up on: one that it received and could not handle, or one that an input read and a filter
// refused for good.
type DeadLetter struct {
	ID      string `json:"id"`
	Channel string `json:"channel"`
	// Sender is the node that sent it; empty for an input's.
	Sender string `json:"sender,omitempty"`
	// Input is the input that read it; empty for a message received.
	Input string `json:"input,omitempty"`
	// MessageID and Seq name the message in its sender's log; an input's was never sent.
	MessageID string `json:"message_id,omitempty"`
	Seq       uint64 `json:"seq,omitempty"`
	Reason    string `json:"reason"`
	Attempts  int    `json:"attempts"`
	// DiedMs is when the last attempt failed, Unix milliseconds.
	DiedMs int64 `json:"died_ms"`
	// Size is how many bytes are stored of it.
	Size int `json:"size"`
	// Message is the message itself; not in lists, and not if it is damaged.
	Message *Event `json:"message,omitempty"`
}

// DeadLetterFilter chooses dead letters. The zero value of a field leaves it out.
type DeadLetterFilter struct {
	Channel string
	Sender  string
	Input   string
	// After is the id of the last letter of the page before.
	After string
	// Through is a mark: letters made after it are left out.
	Through string
	Limit   int
}

// DeadLetterPage is the answer to GET /api/v1/dead-letters. Next, if not empty, is the after of the next page.
type DeadLetterPage struct {
	Letters []DeadLetter `json:"letters"`
	Next    string       `json:"next,omitempty"`
}

// DeadLetterOrder is the body of POST /api/v1/dead-letters/redrive and /drop: ids, or all that the other fields choose.
type DeadLetterOrder struct {
	IDs     []string `json:"ids,omitempty"`
	All     bool     `json:"all,omitempty"`
	Channel string   `json:"channel,omitempty"`
	Sender  string   `json:"sender,omitempty"`
	Input   string   `json:"input,omitempty"`
	// After and Through are the Next and Through of the answer before, to go on with.
	After   string `json:"after,omitempty"`
	Through string `json:"through,omitempty"`
}

// DeadLetterResult is the answer. An order for all is worked through in parts: send it again with after and through until next is empty.
type DeadLetterResult struct {
	Done    int                 `json:"done"`
	Failed  []DeadLetterFailure `json:"failed"`
	Next    string              `json:"next,omitempty"`
	Through string              `json:"through,omitempty"`
}

// DeadLetterFailure is why one dead letter is still there.
type DeadLetterFailure struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// The bounds of one request.
const (
	letterPage     = 100
	maxLetterPage  = 1000
	maxLetterOrder = 1000
	orderTime      = 5 * time.Second // a part of an order for all ends after this
	maxOrderBody   = 1 << 20
)

func (a *api) deadLetters(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := DeadLetterFilter{Channel: q.Get("channel"), Sender: q.Get("sender"), Input: q.Get("input"), After: q.Get("after"), Limit: letterPage}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLetterPage {
			writeProblem(w, badRequest("limit %q is not a number from 1 to %d", text, maxLetterPage))
			return
		}
		f.Limit = n
	}
	letters, err := a.router.DeadLetters(f)
	if err != nil {
		writeProblem(w, err)
		return
	}
	page := DeadLetterPage{Letters: letters}
	if len(letters) == f.Limit {
		page.Next = letters[len(letters)-1].ID
	}
	if page.Letters == nil {
		page.Letters = []DeadLetter{}
	}
	writeJSON(w, page)
}

func (a *api) deadLetter(w http.ResponseWriter, r *http.Request) {
	letter, err := a.router.DeadLetter(r.PathValue("id"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, letter)
}

// redrive and drop work through an order.
func (a *api) redrive(w http.ResponseWriter, r *http.Request) {
	a.order(w, r, func(id string) error { return a.router.Redrive(r.Context(), id) })
}

func (a *api) drop(w http.ResponseWriter, r *http.Request) {
	a.order(w, r, a.router.DropDeadLetter)
}

func (a *api) order(w http.ResponseWriter, r *http.Request, do func(id string) error) {
	o, err := readOrder(w, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	result := DeadLetterResult{Failed: []DeadLetterFailure{}, Through: o.Through}
	ids, more := o.IDs, false
	if o.All {
		if ids, more, err = a.chosen(o, &result); err != nil {
			writeProblem(w, err)
			return
		}
	}
	begun := time.Now()
	for i, id := range ids {
		switch err := do(id); {
		case errors.Is(err, engine.ErrClosed), errors.Is(err, engine.ErrStorage), r.Context().Err() != nil:
			writeProblem(w, err)
			return
		case err == nil:
			result.Done++
		case o.All && errors.Is(err, ErrNoDeadLetter): // somebody was quicker
		default:
			result.Failed = append(result.Failed, DeadLetterFailure{id, err.Error()})
		}
		if o.All && time.Since(begun) > orderTime && i+1 < len(ids) {
			ids, more = ids[:i+1], true
			break
		}
	}
	if more {
		result.Next = ids[len(ids)-1]
	}
	writeJSON(w, result)
}

// chosen lists the next part of an order for all.
func (a *api) chosen(o *DeadLetterOrder, result *DeadLetterResult) (ids []string, more bool, err error) {
	if o.Through == "" {
		if result.Through, err = a.router.DeadLetterMark(); err != nil {
			return nil, false, err
		}
	}
	letters, err := a.router.DeadLetters(DeadLetterFilter{Channel: o.Channel, Sender: o.Sender, Input: o.Input, After: o.After, Through: result.Through, Limit: letterPage})
	if err != nil {
		return nil, false, err
	}
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	return ids, len(letters) == letterPage, nil
}

func readOrder(w http.ResponseWriter, r *http.Request) (*DeadLetterOrder, error) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) //nolint:errcheck // a connection without deadlines, as in tests without a network
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrderBody))
	d.DisallowUnknownFields()
	var o DeadLetterOrder
	if err := d.Decode(&o); err != nil {
		return nil, badRequest("the body is not an order such as {\"ids\":[\"1\"]} or {\"all\":true,\"channel\":\"a\"}: %v", err)
	}
	switch {
	case o.All && len(o.IDs) > 0:
		return nil, badRequest("give ids or all, not both")
	case !o.All && len(o.IDs) == 0:
		return nil, badRequest("ids is empty: name dead letters, or set all")
	case len(o.IDs) > maxLetterOrder:
		return nil, badRequest("%d ids are too many for one order: give at most %d", len(o.IDs), maxLetterOrder)
	case !o.All && (o.Channel != "" || o.Sender != "" || o.Input != ""):
		return nil, badRequest("channel, sender and input choose among all; they do not go with ids")
	}
	return &o, nil
}
