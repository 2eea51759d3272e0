package node

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
)

// watchStorage logs when the storage stops taking what it is given, and when it does so again: one line each, and no more than one
// beginning within warnEvery, whatever comes and goes.
func (n *Node) watchStorage() {
	timer := time.NewTimer(warnEvery)
	timer.Stop()
	defer timer.Stop()
	w := storageWatch{}
	for ended := false; !ended; {
		select {
		case <-n.ailing:
		case <-timer.C:
		case <-n.ctx.Done():
			ended = true // what made the node end is told all the same
		}
		if wait := w.look(n, n.store.Condition()); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// storageWatch is what was logged of the storage.
type storageWatch struct {
	told  store.Trouble
	since time.Time // when it began, or the one before it
	held  int       // lines that were not written
}

// look logs what is news. It returns how long to wait before looking again; 0: until something changes.
func (w *storageWatch) look(n *Node, c store.Condition) time.Duration {
	log := n.log.With().Str("detail", c.Reason).Logger()
	switch {
	case c.Trouble == w.told:
	case c.Trouble == store.NoTrouble:
		n.log.Info().Dur("after_ms", time.Since(w.since)).Msg("the storage takes messages again")
		w.told = c.Trouble
	case c.Trouble == store.Broken:
		log.Error().Msg("the storage has failed: nothing is stored or acknowledged any more, until the next start")
		w.told = c.Trouble
	case !w.since.IsZero() && time.Since(w.since) < warnEvery:
		w.held++
		return warnEvery - time.Since(w.since)
	default:
		log.Error().Int("held_back", w.held).Msg("the storage takes no messages: sends are refused, and what must be written waits")
		*w = storageWatch{told: c.Trouble, since: time.Now()}
	}
	return 0
}
