package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// A watcher that reads slowly misses messages rather than hold anything up, and is told how many.
const (
	streamBuffer  = 1024
	heartbeat     = 15 * time.Second
	writeDeadline = 10 * time.Second
)

// stream sends a channel's messages as server-sent events: "message" with an Event, and "lost" with {"count":n}.
func (a *api) stream(w http.ResponseWriter, r *http.Request) {
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
	default:
		writeProblem(w, newProblem(http.StatusServiceUnavailable, "Too many streams", fmt.Sprintf("%d are open already; close one", maxStreams)))
		return
	}
	events := make(chan Event, streamBuffer)
	var lost atomic.Int64
	stop, err := a.router.Watch(r.PathValue("channel"), func(e Event, n int64) {
		lost.Add(n)
		select {
		case events <- e:
		default:
			lost.Add(1)
		}
	})
	if err != nil {
		writeProblem(w, err)
		return
	}
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	s := sse{w: w, c: http.NewResponseController(w)}
	if s.write(": watching\n\n") != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			err = s.write(":\n\n")
		case e := <-events:
			if n := lost.Swap(0); n > 0 {
				err = s.write(fmt.Sprintf("event: lost\ndata: {\"count\":%d}\n\n", n))
			}
			if err == nil {
				err = s.event(e)
			}
		}
	}
}

type sse struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func (s sse) event(e Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("id: %s\nevent: message\ndata: %s\n\n", e.ID, data))
}

func (s sse) write(text string) error {
	s.c.SetWriteDeadline(time.Now().Add(writeDeadline)) //nolint:errcheck // a connection without deadlines, as in tests without a network
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.c.Flush()
}
