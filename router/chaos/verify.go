package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// maxExamples bounds what a report says about each reader in words.
const maxExamples = 3

// Seen is what one reader wrote of the effects of one reader, itself or another, held against what was sent.
type Seen struct {
	Reader string `json:"reader"`
	// Of is the reader whose plugin emitted the effects.
	Of string `json:"of"`
	// Effects counts different messages, Again those that the file has once more after a kill, which it may.
	Effects int `json:"effects"`
	Again   int `json:"again"`
	// OutOfOrder, Twice, Lost and Invented are broken promises: effects that do not come as the messages were sent, that happened twice,
	// that a confirmed message does not have, and that no message has. Lost is only known when nothing is pending.
	OutOfOrder int `json:"out_of_order"`
	Twice      int `json:"twice"`
	Lost       int `json:"lost"`
	Invented   int `json:"invented"`
	// Examples say more about some of them.
	Examples []string `json:"examples,omitempty"`
}

// kept tells whether nothing is wrong.
func (s *Seen) kept() bool { return s.OutOfOrder+s.Twice+s.Lost+s.Invented == 0 }

func (s *Seen) broken(counter *int, format string, args ...any) {
	*counter++
	if len(s.Examples) < maxExamples {
		s.Examples = append(s.Examples, fmt.Sprintf(format, args...))
	}
}

// line is a line of a reader's file.
type line struct {
	Sender string `json:"sender"`
	Seq    uint64 `json:"seq"`
	Data   string `json:"data"`
}

// history follows the effects of one reader through the file of one reader.
type history struct {
	Seen
	seqs     []uint64 // in the order in which they first came, which has to be ascending
	expected int      // the place in seqs that the next line should have
	restarts int      // how often the file may begin to repeat what it had last
	last     [streams]int
	had      [streams]bits
}

// take takes the next line.
func (h *history) take(l *line, sent *[streams]stream) {
	at := len(h.seqs)
	if at > 0 && l.Seq <= h.seqs[at-1] {
		place, found := slices.BinarySearch(h.seqs, l.Seq)
		if !found {
			h.broken(&h.OutOfOrder, "sequence %d came after %d", l.Seq, h.seqs[at-1])
			return
		}
		h.repeat(place, l.Seq)
		return
	}
	if h.expected != at {
		h.broken(&h.OutOfOrder, "a repetition ended before sequence %d, which came next", h.seqs[h.expected])
	}
	h.seqs = append(h.seqs, l.Seq)
	h.expected = at + 1
	h.message(l.Data, sent)
}

// repeat takes a line that was there before. After a kill the file may repeat what it had last, in order.
func (h *history) repeat(place int, seq uint64) {
	h.Again++
	switch {
	case place > h.expected:
		h.broken(&h.OutOfOrder, "a repetition left out what is before sequence %d", seq)
	case place < h.expected && h.restarts == 0:
		h.broken(&h.Twice, "sequence %d was written again without a kill", seq)
	case place < h.expected:
		h.restarts--
	}
	h.expected = place + 1
}

// message holds an effect against the messages that were sent.
func (h *history) message(data string, sent *[streams]stream) {
	h.Effects++
	stream, number, ok := parse(data)
	if !ok || number > sent[stream].sent {
		h.broken(&h.Invented, "nobody sent %.80q", data)
		return
	}
	switch s := &sent[stream]; {
	case s.refused.has(number):
		h.broken(&h.Invented, "message %d of stream %d was refused", number, stream)
	case h.had[stream].has(number):
		h.broken(&h.Twice, "message %d of stream %d had its effect twice", number, stream)
	case number < h.last[stream]:
		h.broken(&h.OutOfOrder, "message %d of stream %d came after %d", number, stream, h.last[stream])
	}
	h.had[stream].set(number)
	h.last[stream] = max(h.last[stream], number)
}

// finish looks for what is missing.
func (h *history) finish(sent *[streams]stream) {
	if h.expected != len(h.seqs) {
		h.broken(&h.OutOfOrder, "the last repetition ended before sequence %d", h.seqs[h.expected])
	}
	for i := range sent {
		for n := 1; n <= sent[i].sent; n++ {
			if sent[i].confirmed.has(n) && !h.had[i].has(n) {
				h.broken(&h.Lost, "message %d of stream %d was confirmed and is not there", n, i)
			}
		}
	}
}

// readEffects holds a reader's file against what was sent. drained says that nothing was pending any more.
func readEffects(path, reader string, restarts int, sent *[streams]stream, drained bool) ([]Seen, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	histories := map[string]*history{}
	for _, of := range readerNames {
		histories[of] = &history{Seen: Seen{Reader: reader, Of: of}, restarts: restarts}
	}
	torn, err := eachLine(file, func(l *line) {
		if h := histories[l.Sender]; h != nil {
			h.take(l, sent)
		}
	})
	if err == nil && torn > restarts {
		err = fmt.Errorf("%d lines are not whole, after %d kills", torn, restarts)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var list []Seen
	for _, of := range readerNames {
		if drained {
			histories[of].finish(sent)
		}
		list = append(list, histories[of].Seen)
	}
	return list, nil
}

// eachLine counts lines that are not whole: a kill in the middle of a write leaves one.
func eachLine(r io.Reader, f func(*line)) (torn int, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			torn++
			continue
		}
		f(&l)
	}
	return torn, lines.Err()
}
