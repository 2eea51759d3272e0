package store

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
)

// model is what a store must hold, in plain maps and as simply as possible.
type model struct {
	next      uint64
	seqs      map[string][]uint64 // every sequence a channel ever had
	bodies    map[uint64]byte
	heads     map[string]Head
	readers   map[readerKey]Reader
	positions map[positionKey]Position
	attempts  map[positionKey]Attempt
	joins     map[joinKey]Join
	state     map[string]string
	skips     map[skipped]bool
	letters   []letter
	buried    int64 // the greatest id of a dead letter, ever
}

type letter struct {
	id       int64
	counted  positionKey
	reason   string
	attempts int
}

type skipped struct {
	channel string
	store   ID
	join    uint64
	reason  uint8
	seq     uint64
}

func newModel() *model {
	return &model{next: 1, seqs: map[string][]uint64{}, bodies: map[uint64]byte{}, heads: map[string]Head{}, readers: map[readerKey]Reader{},
		positions: map[positionKey]Position{}, attempts: map[positionKey]Attempt{}, joins: map[joinKey]Join{}, state: map[string]string{},
		skips: map[skipped]bool{}}
}

func (m *model) clone() *model {
	c := *m
	c.seqs = map[string][]uint64{}
	for name, s := range m.seqs {
		c.seqs[name] = slices.Clone(s)
	}
	c.bodies, c.heads, c.readers = maps.Clone(m.bodies), maps.Clone(m.heads), maps.Clone(m.readers)
	c.positions, c.attempts, c.joins = maps.Clone(m.positions), maps.Clone(m.attempts), maps.Clone(m.joins)
	c.state, c.skips, c.letters = maps.Clone(m.state), maps.Clone(m.skips), slices.Clone(m.letters)
	return &c
}

func (m *model) upto(channel string, seq uint64) uint64 {
	seq = max(seq, m.heads[channel].Floor)
	s := m.seqs[channel]
	return uint64(sort.Search(len(s), func(i int) bool { return s[i] > seq }))
}

func (m *model) apply(tx *Tx) {
	for _, c := range tx.Readers {
		m.changeReader(c)
	}
	for _, j := range tx.Joins {
		m.joins[joinKey{j.Channel, j.Number}] = j
	}
	for _, r := range tx.Skips {
		if _, known := m.heads[r.Channel]; !known {
			m.heads[r.Channel] = Head{}
		}
		for seq := r.From; seq <= r.To; seq++ {
			m.skips[skipped{r.Channel, r.Store, r.Join, r.Reason, seq}] = true
		}
	}
	for _, name := range tx.Closed {
		if h, ok := m.heads[name]; ok {
			h.OpenFrom, h.OpenTotal = 0, 0
			m.heads[name] = h
		}
	}
	for _, s := range tx.Segments {
		m.append(s)
	}
	for i := range tx.Progress {
		m.progress(&tx.Progress[i])
	}
	for _, c := range tx.State {
		if c.Value == nil {
			delete(m.state, c.Namespace+"/"+string(c.Key))
		} else {
			m.state[c.Namespace+"/"+string(c.Key)] = string(c.Value)
		}
	}
	m.unbury(tx)
}

func (m *model) unbury(tx *Tx) {
	drop := func(id int64) { m.letters = slices.DeleteFunc(m.letters, func(l letter) bool { return l.id == id }) }
	for _, id := range tx.Unbury {
		drop(id)
	}
	for _, id := range tx.Revive {
		for _, l := range m.letters {
			if p := m.positions[l.counted]; l.id == id && p.Totals.Dead > 0 {
				p.Totals.Dead--
				p.Totals.Handled++
				m.positions[l.counted] = p
			}
		}
		drop(id)
	}
	for _, again := range tx.Rebury {
		for i := range m.letters {
			if l := &m.letters[i]; l.id == again.ID {
				l.reason, l.attempts = again.Reason, again.Attempts
			}
		}
	}
}

func (m *model) append(s Segment) {
	h := m.heads[s.Channel]
	if s.Open && h.OpenFrom == 0 {
		h.OpenFrom, h.OpenTotal = m.next, h.Total
	}
	for i := range s.Count {
		m.seqs[s.Channel] = append(m.seqs[s.Channel], m.next)
		m.bodies[m.next] = s.Body[i]
		h.Last, h.Total = m.next, h.Total+1
		m.next++
	}
	m.heads[s.Channel] = h
}

func (m *model) changeReader(c ReaderChange) {
	switch {
	case c.Add != nil:
		m.addReader(c.Add)
	case c.Move != nil:
		k := readerKey{c.Move.Store, c.Move.Channel, c.Move.Join}
		r, ok := m.readers[k]
		if !ok || r.Ended {
			return
		}
		r.Totals = c.Move.Totals
		r.Position = min(c.Move.Position, m.heads[k.channel].Last)
		if c.Move.Opens && r.Position < r.Start {
			r.Start, r.StartTotal = r.Position, m.upto(k.channel, r.Position)
		}
		r.Position = max(r.Position, r.Start)
		r.Done = m.upto(k.channel, r.Position)
		if floor := m.heads[k.channel].Floor; r.Position < floor {
			r.Done = min(uint64(max(int64(r.StartTotal+r.Totals.Sum())-r.Beyond, int64(r.StartTotal))), r.Done)
		}
		if r.Position == r.Start {
			r.Done = r.StartTotal
		}
		if c.Move.Opens {
			r.Beyond = int64(r.Totals.Sum()) - int64(r.Done-r.StartTotal)
		}
		m.readers[k] = r
	case c.End != nil:
		k := readerKey{c.End.Store, c.End.Channel, c.End.Join}
		h := m.heads[k.channel]
		if _, ok := m.readers[k]; !ok {
			m.readers[k] = Reader{Store: k.store, Channel: k.channel, Join: k.join, Start: h.Last, Position: h.Last, StartTotal: h.Total, Done: h.Total}
		}
		m.end(k, h.Total, true)
	}
}

func (m *model) end(k readerKey, total uint64, removed bool) {
	r := m.readers[k]
	if r.Ended {
		r.Replaced = false
		m.readers[k] = r
		return
	}
	r.Ended, r.EndTotal, r.Replaced = true, total, !removed
	if removed {
		r.Removed = total - r.Done
	}
	m.readers[k] = r
}

func (m *model) addReader(a *AddReader) {
	h := m.heads[a.Channel]
	r := Reader{Store: a.Store, Node: a.Node, Channel: a.Channel, Join: a.Join, Start: h.Last, StartTotal: h.Total}
	k := readerKey{a.Store, a.Channel, a.Join}
	for other, o := range m.readers {
		if other.store == a.Store && other.channel == a.Channel && (other.join > a.Join || other.join == a.Join && !o.Replaced) {
			return
		}
	}
	retained := m.seqs[a.Channel][m.upto(a.Channel, 0):]
	switch {
	case a.Start == StartOpen && h.OpenFrom != 0:
		r.Start = h.OpenFrom - 1
		r.StartTotal = h.OpenTotal
	case a.Start == StartAll && len(retained) > 0:
		r.Start = retained[0] - 1
		r.StartTotal = m.upto(a.Channel, r.Start)
	}
	for other, o := range m.readers {
		switch {
		case other == k || other.channel != a.Channel:
		case other.store == a.Store:
			m.end(other, h.Total, true)
		case o.Node == a.Node && !o.Ended:
			r.Start, r.StartTotal = o.Position, o.Done
			m.end(other, o.Done, false)
			m.copySkips(other, k)
		}
	}
	r.Position, r.Done = r.Start, r.StartTotal
	if was, back := m.readers[k]; back {
		r = was
		r.Node, r.Ended, r.Replaced, r.EndTotal = a.Node, false, false, 0
	}
	m.readers[k] = r
}

func (m *model) copySkips(from, to readerKey) {
	for s := range maps.Clone(m.skips) {
		if s.channel == from.channel && s.store == from.store && s.join == from.join {
			s.store, s.join = to.store, to.join
			m.skips[s] = true
		}
	}
}

func (m *model) progress(p *Progress) {
	k := positionKey{p.Sender, p.Channel, p.Join}
	if p.Seq != 0 {
		old, known := m.positions[k]
		now := Position{Sender: p.Sender, Node: p.Node, Channel: p.Channel, Join: p.Join, Run: p.Run, Seq: p.Seq, Totals: p.Totals, Older: old.Older}
		if known && old.Run != p.Run {
			now.Older = []RunPosition{{old.Run, old.Seq}}
			for _, o := range old.Older {
				if o.Run != p.Run {
					now.Older = append(now.Older, o)
				}
			}
		}
		m.positions[k] = now
		delete(m.attempts, k)
	}
	if p.Attempt != nil {
		m.attempts[k] = *p.Attempt
	}
	for _, l := range p.Dead {
		m.buried++
		m.letters = append(m.letters, letter{m.buried, positionKey{l.Sender, l.Channel, l.Join}, l.Reason, l.Attempts})
	}
}

// skippedTo is the end of what is skipped for a reader, or for all, right behind its position and for one reason.
func (m *model) skippedTo(k readerKey, position uint64) (last uint64) {
	last = position
	for reason := range uint8(10) {
		at := position
		for next := true; next; {
			next = false
			for s := range m.skips {
				mine := s.store == k.store && s.join == k.join || s.store == ID{}
				if s.channel == k.channel && s.reason == reason && mine && s.seq == at+1 {
					at, next = s.seq, true
				}
			}
		}
		last = max(last, at)
	}
	return last
}

// prune takes over how far the store has pruned, after checking that it may.
func (m *model) prune(s *Store, all bool) error {
	for name, h := range m.heads {
		bound := h.Last
		for k, r := range m.readers {
			if k.channel == name && !r.Ended {
				bound = min(bound, m.skippedTo(k, r.Position))
			}
		}
		if h.OpenFrom != 0 {
			bound = min(bound, m.skippedTo(readerKey{channel: name}, h.OpenFrom-1))
		}
		got, _ := s.Head(name)
		if got.Floor > max(bound, h.Floor) || got.Floor < h.Floor { // a reader may have come back to a place that is pruned
			return fmt.Errorf("channel %s pruned up to %d, from %d, bound %d", name, got.Floor, h.Floor, bound)
		}
		if all {
			batches, err := s.Read(name, 0, 0)
			if err != nil {
				return err
			}
			if len(batches) > 0 && batches[0].Last <= bound {
				return fmt.Errorf("channel %s: batch %d to %d stays, bound %d", name, batches[0].First, batches[0].Last, bound)
			}
		}
		h.Floor = got.Floor
		m.heads[name] = h
	}
	return nil
}

// compare says where a store differs from the model.
func (m *model) compare(s *Store) error {
	if got := s.Heads(); !reflect.DeepEqual(got, m.heads) {
		return fmt.Errorf("heads: %+v, want %+v", got, m.heads)
	}
	readers := map[readerKey]Reader{}
	for _, r := range s.Readers() {
		readers[readerKey{r.Store, r.Channel, r.Join}] = r
	}
	if !reflect.DeepEqual(readers, m.readers) {
		return fmt.Errorf("readers: %+v\nwant %+v", readers, m.readers)
	}
	positions := map[positionKey]Position{}
	attempts := map[positionKey]Attempt{}
	for _, p := range s.AllPositions() {
		positions[positionKey{p.Sender, p.Channel, p.Join}] = p
	}
	for _, sender := range []ID{id(20), id(21)} {
		for _, a := range s.Attempts(sender) {
			attempts[positionKey{sender, a.Channel, a.Join}] = a.Attempt
		}
	}
	if !reflect.DeepEqual(positions, m.positions) {
		return fmt.Errorf("positions: %+v\nwant %+v", positions, m.positions)
	}
	if !reflect.DeepEqual(attempts, m.attempts) {
		return fmt.Errorf("attempts: %+v, want %+v", attempts, m.attempts)
	}
	joins := map[joinKey]Join{}
	for _, j := range s.Joins() {
		joins[joinKey{j.Channel, j.Number}] = j
	}
	if !reflect.DeepEqual(joins, m.joins) {
		return fmt.Errorf("joins: %+v, want %+v", joins, m.joins)
	}
	if err := m.compareLog(s); err != nil {
		return err
	}
	return m.compareState(s)
}

// compareRest compares what takes many small queries.
func (m *model) compareRest(s *Store) error {
	for _, part := range []func(*Store) error{m.compareCounts, m.compareSkips, m.compareLetters} {
		if err := part(s); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) compareCounts(s *Store) error {
	for name, seqs := range m.seqs {
		for _, seq := range seqs {
			if n, err := s.Upto(name, seq); err != nil || n != m.upto(name, seq) {
				return fmt.Errorf("channel %s: %d up to %d, want %d: %w", name, n, seq, m.upto(name, seq), err)
			}
		}
	}
	return nil
}

func (m *model) compareLog(s *Store) error {
	for name, h := range m.heads {
		seqs := m.seqs[name][m.upto(name, 0):]
		after, prev, total := h.Floor, h.Floor, m.upto(name, 0)
		for {
			batches, err := s.Read(name, after, 2000)
			if err != nil {
				return err
			}
			if len(batches) == 0 {
				break
			}
			for _, b := range batches {
				if b.Prev != prev || b.Before != total || b.Channel != name {
					return fmt.Errorf("batch %+v, want prev %d, before %d", b, prev, total)
				}
				content := body(b.Blob)
				for seq := b.First; seq <= b.Last; seq++ {
					if len(seqs) == 0 || seqs[0] != seq || m.bodies[seq] != content[seq-b.First] {
						return fmt.Errorf("channel %s: sequence %d is not as sent", name, seq)
					}
					seqs = seqs[1:]
				}
				prev, after, total = b.Last, b.Last, total+b.Count()
			}
		}
		if len(seqs) > 0 {
			return fmt.Errorf("channel %s: %d messages from %d on are lost", name, len(seqs), seqs[0])
		}
	}
	return nil
}

func (m *model) compareState(s *Store) error {
	state := map[string]string{}
	for _, ns := range []string{"n", "p"} {
		pairs, err := s.List(ns, nil, nil, 1000)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			state[ns+"/"+string(p.Key)] = string(p.Value)
		}
	}
	if !reflect.DeepEqual(state, m.state) {
		return fmt.Errorf("state: %v, want %v", state, m.state)
	}
	return nil
}

func (m *model) compareSkips(s *Store) error {
	want, got := map[skipped]bool{}, map[skipped]bool{}
	keys := map[readerKey]bool{}
	for k := range m.skips {
		keys[readerKey{k.store, k.channel, k.join}] = true
		if k.seq > m.heads[k.channel].Floor {
			want[k] = true
		}
	}
	for k := range keys {
		ranges, err := s.Skips(k.channel, k.store, k.join, m.heads[k.channel].Floor+1, 1<<63)
		if err != nil {
			return err
		}
		for _, r := range ranges {
			for seq := max(r.From, m.heads[k.channel].Floor+1); seq <= r.To; seq++ {
				got[skipped{r.Channel, r.Store, r.Join, r.Reason, seq}] = true
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("skips: %v, want %v", got, want)
	}
	return nil
}

func (m *model) compareLetters(s *Store) error {
	letters, err := s.DeadLetters(DeadLetterQuery{Limit: 10_000})
	if err != nil {
		return err
	}
	var got []letter
	for _, l := range letters {
		got = append(got, letter{l.ID, positionKey{l.Sender, l.Channel, l.Join}, l.Reason, l.Attempts})
	}
	if !slices.Equal(got, m.letters) {
		return fmt.Errorf("dead letters: %v, want %v", got, m.letters)
	}
	return nil
}
