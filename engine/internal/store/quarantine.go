package store

import "errors"

// quarantine records a batch as damaged: it stays in the database, whoever is past it, for somebody to look at.
func (t *txn) quarantine(d *Damage) error {
	return t.s.w.exec(qQuarantine, d.First, t.s.opt.Wall().UnixMilli(), d.Cause)
}

// damaged tells whether an error, which came before the commit, says that what was read is damaged.
func damaged(err error) bool {
	return errors.Is(classify(err), ErrCorrupt) && !errors.Is(err, errUnknown)
}

// setAside deals with a group in which pruning came upon damage; nothing of it was written. The batch is put into quarantine and the group
// can be tried again. If the damage is no batch's own, pruning ends with the error and the others are left. It returns what to try again.
func (s *Store) setAside(cause error, group []*work) ([]*work, error) {
	if first := s.txn.dropping; first != 0 {
		d := Damage{First: first, Cause: cause.Error()}
		if err := s.commit([]*work{{tx: &Tx{Damaged: []Damage{d}}}}); err != nil {
			return group, err
		}
		s.settle()
		s.opt.OnDamage(d)
		return group, nil
	}
	pruning, rest := split(group, func(w *work) bool { return w.prune != nil })
	for _, w := range pruning {
		w.finish(classify(cause))
	}
	if len(pruning) == 0 {
		return rest, cause
	}
	return rest, nil
}

func prunes(group []*work) bool {
	for _, w := range group {
		if w.prune != nil {
			return true
		}
	}
	return false
}
