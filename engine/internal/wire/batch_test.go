package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkBatch expects blob to hold exactly head and messages.
func checkBatch(t interface {
	Helper()
	Fatalf(string, ...any)
}, blob []byte, head BatchHead, messages []Message) {
	t.Helper()
	b, err := ParseBatch(blob)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if b.Head != head || b.Count() != uint64(len(messages)) {
		t.Fatalf("head %+v, want %+v", b.Head, head)
	}
	d, err := b.Decoder()
	if err != nil {
		t.Fatalf("%v", err)
	}
	var m Message
	for i := range messages {
		if ok, err := d.Next(&m); !ok || err != nil {
			t.Fatalf("message %d: %v %v", i, ok, err)
		}
		if !same(m, messages[i]) || d.Seq() != head.First+uint64(i) {
			t.Fatalf("message %d: %+v, want %+v", d.Seq(), m, messages[i])
		}
	}
	if ok, err := d.Next(&m); ok || err != nil {
		t.Fatalf("after the last message: %v %v", ok, err)
	}
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var messages []Message
		var segments [][]byte
		head := BatchHead{Run: genID.Draw(t, "run"), Channel: genName.Draw(t, "channel"), First: rapid.Uint64Range(1, 1<<64-100).Draw(t, "first")}
		head.Prev = rapid.Uint64Range(0, head.First-1).Draw(t, "prev")
		for range rapid.IntRange(1, 3).Draw(t, "segments") {
			var w SegmentWriter
			w.Reset(make([]byte, 3, 10))
			for range rapid.IntRange(1, 4).Draw(t, "messages") {
				m := genMessage(t)
				if err := w.Append(&m); err != nil {
					t.Fatal(err)
				}
				messages = append(messages, m)
			}
			earliest, latest := expiries(messages[len(messages)-w.Count():])
			if w.Earliest() != earliest || w.Latest() != latest {
				t.Fatalf("expiry %d to %d, want %d to %d", w.Earliest(), w.Latest(), earliest, latest)
			}
			segments = append(segments, w.Bytes())
		}
		head.Last = head.First + uint64(len(messages)) - 1
		head.Earliest, head.Latest = expiries(messages)
		blob := SealBatch([]byte("before"), head, segments, rapid.Bool().Draw(t, "compress"))
		if !bytes.HasPrefix(blob, []byte("before")) {
			t.Fatal("SealBatch changed what it appends to")
		}
		checkBatch(t, blob[len("before"):], head, messages)
	})
}

func expiries(messages []Message) (earliest, latest int64) {
	never := false
	for _, m := range messages {
		if m.TTL == 0 {
			never = true
			continue
		}
		e := m.Engine + m.TTL
		if earliest == 0 || e < earliest {
			earliest = e
		}
		latest = max(latest, e)
	}
	if never {
		latest = 0
	}
	return earliest, latest
}

func TestBatchCompresses(t *testing.T) {
	m := Message{Data: bytes.Repeat([]byte("abcdefgh"), 1000)}
	body, err := SealOne(nil, &m)
	if err != nil {
		t.Fatal(err)
	}
	head := BatchHead{Channel: "c", First: 5, Last: 5}
	small := SealBatch(nil, head, [][]byte{body}, true)
	if len(small) > len(body)/10 || cap(small) > 2*len(small)+batchHeadRoom {
		t.Errorf("%d bytes in memory for %d", len(small), cap(small))
	}
	checkBatch(t, small, head, []Message{m})
	b, err := ParseBatch(SealBatch(nil, head, [][]byte{body[:1], body[1:20], body[20:]}, true))
	if err != nil || b.Size() != len(body) {
		t.Errorf("size %d, want %d: %v", b.Size(), len(body), err)
	}
	head.First, head.Last = 1, 1
	short, _ := SealOne(nil, &Message{Data: []byte("x")})
	if !bytes.Equal(SealBatch(nil, head, [][]byte{short}, true), SealBatch(nil, head, [][]byte{short}, false)) {
		t.Error("a body that does not shrink was compressed")
	}
}

func TestBatchDamaged(t *testing.T) {
	for _, compress := range []bool{false, true} {
		blob := SealBatch(nil, exampleHead(), exampleSegments(), compress)
		for bit := range len(blob) * 8 {
			c := bytes.Clone(blob)
			c[bit/8] ^= 1 << (bit % 8)
			if _, err := ParseBatch(c); !errors.Is(err, ErrChecksum) {
				t.Errorf("bit %d flipped: %v", bit, err)
			}
		}
		for n := range blob {
			if _, err := ParseBatch(blob[:n]); !errors.Is(err, ErrChecksum) && !errors.Is(err, ErrShort) {
				t.Errorf("cut to %d: %v", n, err)
			}
		}
	}
}

func TestBatchRefuses(t *testing.T) {
	head := func(f func(*BatchHead)) []byte {
		h := exampleHead()
		f(&h)
		return SealBatch(nil, h, exampleSegments(), false)
	}
	many := BatchHead{Channel: "c", First: 1, Last: MaxMessages + 1}
	set := func(at int, v byte) []byte { b := exampleBatch(); b[at] = v; return sum(b, 0) }
	bomb := appendBatchHead(nil, BatchVersion, &BatchHead{Channel: "c", First: 1, Last: 1}, batchSnappy, MaxBody+1)
	bomb = sum(appendUint(bomb, MaxBody+1), 0)
	for _, c := range []struct {
		name string
		blob []byte
		want error
	}{
		{"newer version", set(0, 2), ErrVersion},
		{"unknown flag", set(batchFixed, 2), ErrVersion},
		{"illegal channel", head(func(h *BatchHead) { h.Channel = "a.b" }), ErrMalformed},
		{"sequence 0", head(func(h *BatchHead) { h.First, h.Last, h.Prev = 0, 3, 0 }), ErrMalformed},
		{"last before first", head(func(h *BatchHead) { h.Last = h.First - 1 }), ErrMalformed},
		{"last beyond the numbers", head(func(h *BatchHead) { h.First = 1<<64 - 1; h.Last = 2 }), ErrMalformed},
		{"previous after first", head(func(h *BatchHead) { h.Prev = h.First }), ErrMalformed},
		{"more messages than bytes", head(func(h *BatchHead) { h.Last += 1000 }), ErrMalformed},
		{"too many messages", SealBatch(nil, many, [][]byte{make([]byte, 2*MaxMessages+2)}, false), ErrMalformed},
		{"negative expiry", head(func(h *BatchHead) { h.Earliest = -1 }), ErrMalformed},
		{"expiries in the wrong order", head(func(h *BatchHead) { h.Latest = 1 }), ErrMalformed},
		{"latest without earliest", head(func(h *BatchHead) { h.Earliest, h.Latest = 0, 1 }), ErrMalformed},
		{"a body longer than it says", sum(append(exampleBatch(), 0), 0), ErrMalformed},
		{"snappy flag on a plain body", set(batchFixed, batchSnappy), ErrMalformed},
		{"decompresses to too much", bomb, ErrMalformed},
	} {
		if _, err := ParseBatch(c.blob); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A body that does not hold what the head says is found out by the decoder, whose errors last.
func TestBodyRefuses(t *testing.T) {
	seg := exampleSegments()
	carry := seg[0][:0:0]
	carry = append(append(carry, seg[1]...), seg[0]...)
	late := append([]byte{timesSame, 0}, seg[0]...)
	message := func(flags byte, fields ...byte) []byte { return append([]byte{flags}, fields...) }
	for name, c := range map[string]struct {
		body  []byte
		count uint64
	}{
		"one message more":               {seg[0], 2},
		"one message fewer":              {seg[0], 4},
		"first message without times":    {late, 4},
		"times of kind 3":                {message(3, 0), 1},
		"unknown flag":                   {message(timesFull|1<<6, 0, 0, 0), 1},
		"data cut":                       {message(timesFull, 0, 0, 5, 'a'), 1},
		"headers announced but none":     {message(timesFull|hasHeaders, 0, 0, 0, 0), 1},
		"a header without a name":        {message(timesFull|hasHeaders, 0, 0, 1, 0, 1, 'v', 0), 1},
		"a header cut":                   {message(timesFull|hasHeaders, 0, 0, 1, 1, 'n', 9, 'v', 0), 1},
		"headers too large":              {append(append(appendUint(message(timesFull|hasHeaders, 0, 0, 1, 1, 'n'), MaxHeaderBytes), make([]byte, MaxHeaderBytes)...), 0), 1},
		"hops beyond 32 bits":            {append(appendUint(message(timesFull|hasHops, 0, 0), 1<<32), 0), 1},
		"engine time goes below zero":    {append(append(message(timesFull, 0, 0, 0), timesDelta), 1, 0, 0), 2},
		"a number without end":           {append(message(timesFull), bytes.Repeat([]byte{0xff}, 12)...), 1},
		"all is well but one byte extra": {append(bytes.Clone(carry), 0), 4},
	} {
		h := BatchHead{Channel: "c", First: 1, Last: c.count}
		b, err := ParseBatch(SealBatch(nil, h, [][]byte{c.body}, false))
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		d, err := b.Decoder()
		var m Message
		for ok := true; ok && err == nil; {
			ok, err = d.Next(&m)
		}
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ok, err := d.Next(&m); ok || err == nil {
			t.Errorf("%s: the error went away", name)
		}
	}
}

func TestAppendLimits(t *testing.T) {
	headers := func(n, size int) Message {
		return Message{Headers: append(make([]Header, 0, n), many(n, Header{"n", strings.Repeat("v", size)})...)}
	}
	for name, m := range map[string]Message{
		"negative engine time": {Engine: -1},
		"negative TTL":         {TTL: -1},
		"giant TTL":            {TTL: MaxTime + 1},
		"header without name":  {Headers: []Header{{"", "v"}}},
		"too many headers":     headers(MaxHeaders+1, 0),
		"headers too large":    headers(2, MaxHeaderBytes/2),
		"data too large":       {Data: make([]byte, MaxBody)},
	} {
		var w SegmentWriter
		if err := w.Append(&Message{TTL: 5}); err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(w.Bytes())
		if err := w.Append(&m); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(w.Bytes(), before) || w.Count() != 1 || w.Latest() != 5 {
			t.Errorf("%s: a refused message left something behind", name)
		}
	}
	for name, m := range map[string]Message{"all headers": headers(MaxHeaders, 61), "the largest headers": headers(1, MaxHeaderBytes-5)} {
		b, err := SealOne(nil, &m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := ParseOne(b); err != nil || !same(*got, m) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSegmentCount(t *testing.T) {
	var w SegmentWriter
	for range MaxMessages {
		if err := w.Append(&Message{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Append(&Message{}); !errors.Is(err, ErrLimit) {
		t.Errorf("a message too many: %v", err)
	}
	if _, err := ParseBatch(SealBatch(nil, BatchHead{Channel: "c", First: 1, Last: MaxMessages}, [][]byte{w.Bytes()}, true)); err != nil {
		t.Errorf("the largest count: %v", err)
	}
}

func many[T any](n int, v T) (list []T) {
	for range n {
		list = append(list, v)
	}
	return list
}

func TestOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genMessage(t)
		b, err := SealOne([]byte("x"), &m)
		if err != nil || b[0] != 'x' {
			t.Fatal(err)
		}
		got, err := ParseOne(b[1:])
		if err != nil || !same(*got, m) {
			t.Fatalf("%+v, want %+v: %v", got, m, err)
		}
		if _, err := ParseOne(append(b[1:], 0)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("trailing byte: %v", err)
		}
	})
}

func TestParseBatches(t *testing.T) {
	seal := func(f func(*BatchHead)) []byte {
		h := exampleHead()
		f(&h)
		return SealBatch(nil, h, exampleSegments(), true)
	}
	good := Carried{300, 303, seal(func(*BatchHead) {})}
	next := Carried{310, 313, seal(func(h *BatchHead) { h.First, h.Last, h.Prev = 310, 313, 303 })}
	d := exampleData()
	d.Last, d.Batches = 313, []Carried{good, next}
	if list, damaged, err := d.ParseBatches(KnownVersions(), nil); err != nil || len(damaged) != 0 || len(list) != 2 || list[1].Head.First != 310 {
		t.Fatalf("%v, %v: %v", list, damaged, err)
	}
	broken := bytes.Clone(good.Blob)
	binary.BigEndian.PutUint32(broken[1:], 0)
	for name, c := range map[string]struct {
		blob []byte
		want error
	}{
		"other sequences": {next.Blob, ErrMalformed},
		"fewer messages":  {seal(func(h *BatchHead) { h.Last = 302 }), ErrMalformed},
		"another run":     {seal(func(h *BatchHead) { h.Run = ID{} }), ErrMalformed},
		"another channel": {seal(func(h *BatchHead) { h.Channel = "other" }), ErrMalformed},
		"damaged":         {broken, ErrChecksum},
		"cut":             {good.Blob[:4], ErrShort},
	} {
		d.Batches[0].Blob = c.blob
		list, damaged, err := d.ParseBatches(KnownVersions(), nil)
		if err != nil || len(list) != 1 || list[0].Head.First != 310 || len(damaged) != 1 || damaged[0].Index != 0 || !errors.Is(damaged[0].Err, c.want) {
			t.Errorf("%s: %v, %v: %v", name, list, damaged, err)
		}
		d.Piece = &Piece{First: 300}
		d.Last = 303
		if _, err := d.ParseWhole(KnownVersions(), c.blob); !errors.Is(err, c.want) {
			t.Errorf("%s, put together: %v", name, err)
		}
		d.Last = 313
	}
	d.Batches[0].Blob, d.Batches[1].Blob = broken, Versions{2, 2}.SealBatch(nil, exampleHead(), exampleSegments(), false)
	if _, _, err := d.ParseBatches(KnownVersions(), nil); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer version behind a damaged batch: %v", err)
	}
}

func TestHotPathAllocates(t *testing.T) {
	m := Message{Engine: 5, Wall: 6, TTL: 7, Hops: 1, Data: make([]byte, 128)}
	buf := make([]byte, 0, 64<<10)
	var w SegmentWriter
	if n := testing.AllocsPerRun(100, func() {
		w.Reset(buf)
		for range 100 {
			_ = w.Append(&m)
		}
	}); n != 0 {
		t.Errorf("encoding: %v allocations", n)
	}
	b, err := ParseBatch(SealBatch(nil, BatchHead{Channel: "c", First: 1, Last: 100}, [][]byte{w.Bytes()}, true))
	if err != nil {
		t.Fatal(err)
	}
	var got Message
	if n := testing.AllocsPerRun(100, func() {
		d, _ := b.Decoder()
		for ok := true; ok; {
			ok, _ = d.Next(&got)
		}
	}); n > 2 {
		t.Errorf("decoding a batch: %v allocations", n)
	}
}
