package router

import (
	"fmt"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/admin"
)

// journalBytes is about how much one page of a journal holds.
const journalBytes = 8 << 20

// Journal reads a page of what a channel's journal holds, and tells whether there is more.
func (r *Router) Journal(channel string, q admin.JournalQuery) (list []admin.Event, more bool, err error) {
	ch := r.engine.Channel(channel)
	if r.config.Channel(channel) == nil || ch == nil {
		return nil, false, fmt.Errorf("%w: %q: its channels are %s; add it to the configuration", admin.ErrNoChannel, channel, r.channelNames())
	}
	size := 0
	err = ch.Journal(engine.JournalRange{Last: q.Last, Since: q.Since, After: q.After}, func(m *engine.Message) bool {
		if len(list) == q.Limit || size > journalBytes {
			more = true
			return false
		}
		size += len(m.Data)
		list = append(list, event(m))
		return true
	})
	return list, more, err
}
