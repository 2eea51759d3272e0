package router

import "github.com/getevo/rmds-router/router/admin"

// Queues lists what waits for readers.
func (r *Router) Queues() (list []admin.Queue) {
	for _, q := range r.engine.Queues() {
		out := admin.Queue{Channel: q.Channel, Reader: q.Reader, Pending: int64(q.Pending), Oldest: q.Oldest, Online: q.Online}
		if !q.Since.IsZero() {
			out.OldestMs = q.Since.UnixMilli()
		}
		list = append(list, out)
	}
	return list
}

// Pending lists messages of one queue.
func (r *Router) Pending(channel, reader string, after uint64, limit int) (list []admin.Event, err error) {
	messages, err := r.engine.Pending(channel, reader, after, limit)
	for _, m := range messages {
		m.Outgoing = true
		list = append(list, event(m))
	}
	return list, err
}
