package store

import (
	"bytes"
	"fmt"
)

// choose draws a number below n.
type choose func(label string, n int) int

// randomTx draws a Tx that is legal in the state that the model holds.
func randomTx(pick choose, m *model, number int) *Tx {
	tx := &Tx{Must: pick("must", 2) == 0}
	for range pick("segments", 4) {
		n := 1 + pick("messages", 4)
		tx.Segments = append(tx.Segments, Segment{Channel: pickChannel(pick), Count: n, Open: pick("open", 6) == 0,
			Body: bytes.Repeat([]byte{byte('a' + number%26)}, n)})
	}
	for range pick("readers", 3) {
		tx.Readers = append(tx.Readers, randomReader(pick, m))
	}
	for range pick("state", 4) {
		c := StateChange{Namespace: "p", Key: fmt.Appendf(nil, "k%d", pick("key", 6)), Value: fmt.Appendf(nil, "v%d", number)}
		if pick("delete", 4) == 0 {
			c.Value = nil
		}
		tx.State = append(tx.State, c)
	}
	for range pick("progress", 3) {
		tx.Progress = append(tx.Progress, randomProgress(pick, number))
	}
	if m.buried > 0 {
		letter := func() int64 { return 1 + int64(pick("letter", int(m.buried))) }
		switch pick("letters", 8) {
		case 0:
			tx.Unbury = []int64{letter()}
		case 1:
			tx.Revive = []int64{letter(), letter()}
		case 2:
			tx.Rebury = []DeadLetter{{ID: letter(), Reason: fmt.Sprintf("again %d", number), Attempts: number}}
		}
	}
	switch pick("rare", 8) {
	case 0:
		tx.Closed = []string{pickChannel(pick)}
	case 1:
		tx.Joins = []Join{{pickChannel(pick), uint64(pick("join", 3)), uint8(pick("role", 3)), pick("replay", 2) == 0, pick("ended", 2) == 0}}
	case 2:
		from := 1 + uint64(pick("from", int(m.next)))
		r := SkipRange{Channel: pickChannel(pick), From: from, To: from + uint64(pick("length", 5)), Reason: uint8(1 + pick("reason", 2))}
		if pick("for all", 2) == 0 {
			r.Store, r.Join = id(1+pick("store", 3)), 1
		}
		tx.Skips = []SkipRange{r}
	}
	return tx
}

func pickChannel(pick choose) string { return []string{"a", "b", "c"}[pick("channel", 3)] }

func randomReader(pick choose, m *model) ReaderChange {
	store, channel, join := id(1+pick("store", 4)), pickChannel(pick), uint64(1+pick("join", 3))
	switch pick("change", 5) {
	case 0, 1:
		node := fmt.Sprintf("node-%d", pick("node", 3))
		return ReaderChange{Add: &AddReader{Store: store, Node: node, Channel: channel, Join: join, Start: Start(pick("start", 3))}}
	case 2:
		return ReaderChange{End: &EndReader{Store: store, Channel: channel, Join: join}}
	}
	// A reader reports a place that it can know, and the totals that belong to it.
	move := &MoveReader{Store: store, Channel: channel, Join: join, Position: uint64(pick("position", int(m.heads[channel].Last)+1)), Opens: pick("opens", 2) == 0}
	if r, ok := m.readers[readerKey{store, channel, join}]; ok {
		if move.Opens {
			move.Totals.Dead = uint64(pick("beyond", 3))
		} else {
			move.Totals.Dead = uint64(max(r.Beyond, 0))
		}
		position := max(move.Position, r.Start)
		s := m.seqs[channel]
		for _, seq := range s {
			if seq > r.Start && seq <= position {
				move.Totals.Handled++
			}
		}
	}
	return ReaderChange{Move: move}
}

func randomProgress(pick choose, number int) Progress {
	run := id(1 + pick("run", 3))
	p := Progress{Sender: id(20 + pick("sender", 2)), Node: "n", Channel: pickChannel(pick), Join: 1, Run: run}
	if pick("attempt only", 3) == 0 {
		p.Attempt = &Attempt{Run: run, Seq: uint64(number), Count: 1 + pick("count", 3)}
		return p
	}
	p.Seq, p.Totals = uint64(number), Totals{Handled: uint64(number), Dead: 1}
	if pick("dead", 4) == 0 {
		p.Dead = []DeadLetter{{Sender: p.Sender, Channel: p.Channel, Join: p.Join, Reason: fmt.Sprintf("r%d", number), Message: []byte("m")}}
	}
	return p
}
