package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/getevo/rmds-router/engine"
)

// The errors that a Router adds to the engine's.
var (
	// ErrNoChannel means the router's configuration has no such channel.
	ErrNoChannel = errors.New("no such channel on this node")
	// ErrNoPlugin means the router's configuration has no such plugin.
	ErrNoPlugin = errors.New("no such plugin on this node")
	// ErrReload means a plugin's new version is not right; the old one runs on.
	ErrReload = errors.New("the plugin was not reloaded; the version before runs on")
	// ErrState means a plugin's keys cannot be changed.
	ErrState = errors.New("the key was not changed")
	// ErrHeld means an outbound filter wants the message later. Nothing was stored.
	ErrHeld = errors.New("a filter holds the message")
	// ErrRejected means an outbound filter refused the message for good. Nothing was stored.
	ErrRejected = errors.New("a filter rejected the message")
)

// Problem is an error document as in RFC 9457.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (p *Problem) Error() string { return p.Detail }

// problemOf is the one place where errors become HTTP.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = fmt.Errorf("%w: at most %d bytes (delivery.max_message_size)", engine.ErrTooLarge, tooLarge.Limit)
	}
	for _, c := range []struct {
		err    error
		status int
		title  string
	}{
		{ErrNoChannel, http.StatusNotFound, "Unknown channel"},
		{ErrNoNode, http.StatusNotFound, "Unknown node"},
		{ErrNoPlugin, http.StatusNotFound, "Unknown plugin"},
		{ErrReload, http.StatusUnprocessableEntity, "Plugin not reloaded"},
		{ErrState, http.StatusConflict, "Key not changed"},
		{ErrNoDeadLetter, http.StatusNotFound, "Unknown dead letter"},
		{engine.ErrNoJournal, http.StatusConflict, "No journal"},
		{engine.ErrNoMessage, http.StatusNotFound, "Not in the journal"},
		{engine.ErrNoQueue, http.StatusNotFound, "Unknown queue"},
		{engine.ErrDeadLetterBusy, http.StatusConflict, "The dead letter is busy"},
		{engine.ErrNoConsumer, http.StatusConflict, "The channel has no consumer"},
		{engine.ErrStillDead, http.StatusUnprocessableEntity, "Still a dead letter"},
		{engine.ErrHeld, http.StatusServiceUnavailable, "Held by the consumer"},
		{ErrHeld, http.StatusServiceUnavailable, "Held by a filter"},
		{ErrRejected, http.StatusUnprocessableEntity, "Rejected by a filter"},
		{engine.ErrReaderFull, http.StatusTooManyRequests, "A reader's queue is full"},
		{engine.ErrStorageFull, http.StatusInsufficientStorage, "Storage is full"},
		{engine.ErrNotWritable, http.StatusInsufficientStorage, "Storage cannot be written"},
		{engine.ErrTooLarge, http.StatusRequestEntityTooLarge, "Message too large"},
		{engine.ErrName, http.StatusUnprocessableEntity, "Not a legal name"},
		{engine.ErrRole, http.StatusConflict, "The channel's mode does not allow this"},
		{engine.ErrHopLimit, http.StatusConflict, "Hop limit reached"},
		{engine.ErrReplaying, http.StatusConflict, "Under way already"},
		{engine.ErrLeft, http.StatusConflict, "The channel was left"},
		{engine.ErrClosed, http.StatusServiceUnavailable, "The router is stopping"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "Took too long"},
		{context.Canceled, http.StatusServiceUnavailable, "Cancelled"},
	} {
		if errors.Is(err, c.err) {
			return newProblem(c.status, c.title, err.Error())
		}
	}
	return newProblem(http.StatusInternalServerError, "Internal error", err.Error())
}

func newProblem(status int, title, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: title, Status: status, Detail: detail}
}

func writeProblem(w http.ResponseWriter, err error) {
	p := problemOf(err)
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) //nolint:errcheck // the client is gone
}
