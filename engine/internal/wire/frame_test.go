package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type frame interface {
	Append([]byte) []byte
	Parse([]byte) error
}

// frameKinds lists, for each type of frame, a generator and an empty one.
var frameKinds = []struct {
	name  string
	gen   func(*rapid.T) frame
	empty func() frame
}{
	{"open", func(t *rapid.T) frame { return genOpen(t) }, func() frame { return new(Open) }},
	{"data", func(t *rapid.T) frame { return genData(t) }, func() frame { return new(Data) }},
	{"status", func(t *rapid.T) frame { return genStatus(t) }, func() frame { return new(Status) }},
	{"announcement", func(t *rapid.T) frame { return genAnnouncement(t) }, func() frame { return new(Announcement) }},
	{"management", func(t *rapid.T) frame { return genManagement(t) }, func() frame { return new(Management) }},
}

func TestFramesRoundTrip(t *testing.T) {
	for _, k := range frameKinds {
		t.Run(k.name, func(t *testing.T) {
			reused := k.empty()
			rapid.Check(t, func(t *rapid.T) {
				want := k.gen(t)
				prefix := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "prefix")
				b := want.Append(append([]byte{}, prefix...))
				if string(b[:len(prefix)]) != string(prefix) {
					t.Fatal("Append changed what it appends to")
				}
				for _, got := range []frame{k.empty(), reused} {
					if err := got.Parse(b[len(prefix):]); err != nil {
						t.Fatal(err)
					}
					if !same(got, want) {
						t.Fatalf("got %s, want %s", show(got), show(want))
					}
				}
			})
		})
	}
}

// Every flipped bit of what the frame's checksum covers is seen, and every cut and every extension is refused.
func TestFramesDamaged(t *testing.T) {
	for _, k := range frameKinds {
		t.Run(k.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				b := k.gen(t).Append(nil)
				covered := frameHead + int(binary.BigEndian.Uint32(b[frameLength:]))
				bit := rapid.IntRange(0, covered*8-1).Draw(t, "bit")
				b[bit/8] ^= 1 << (bit % 8)
				if err := k.empty().Parse(b); !errors.Is(err, ErrChecksum) && !errors.Is(err, ErrShort) {
					t.Fatalf("bit %d flipped: %v", bit, err)
				}
				b[bit/8] ^= 1 << (bit % 8)
				if k.empty().Parse(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]) == nil {
					t.Fatal("a cut frame was taken")
				}
				if k.empty().Parse(append(b, 0)) == nil {
					t.Fatal("a longer frame was taken")
				}
			})
		})
	}
}

// resum makes the checksum and length of a frame right, with rest bytes behind its fields, so that what lies behind them gets tested.
func resum(b []byte, rest int) []byte {
	b = append([]byte{}, b...)
	if len(b) < frameHead+rest {
		return b
	}
	binary.BigEndian.PutUint32(b[frameLength:], uint32(len(b)-frameHead-rest))
	binary.BigEndian.PutUint32(b[frameChecksum:], frameSum(b[:len(b)-rest]))
	return b
}

func TestFrameVersionFlagsKind(t *testing.T) {
	b := exampleOpen().Append(nil)
	change := func(at int, v byte) []byte {
		c := append([]byte{}, b...)
		c[at] = v
		return resum(c, 0)
	}
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"newer version", change(0, 2), ErrVersion},
		{"unknown flag", change(frameFlags, 1), ErrVersion},
		{"another kind", change(1, byte(KindStatus)), ErrKind},
		{"no more than a head", b[:frameHead-1], ErrShort},
		{"trailing field byte", resum(append(append([]byte{}, b...), 0), 0), ErrMalformed},
		{"trailing byte behind the fields", append(append([]byte{}, b...), 0), ErrMalformed},
		{"nothing", nil, ErrShort},
	} {
		if _, err := ParseOpen(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestFramesRefuse(t *testing.T) {
	data := func(f func(*Data)) frame { d := exampleData(); f(d); return d }
	status := func(f func(*Status)) frame { s := exampleStatus(); f(s); return s }
	hello := func(f func(*Announcement)) frame { a := exampleAnnouncement(); f(a); return a }
	open := func(f func(*Open)) frame { o := exampleOpen(); f(o); return o }
	manage := func(f func(*Management)) frame { m := exampleManagement(); f(m); return m }
	for name, f := range map[string]frame{
		"data: illegal channel":             data(func(d *Data) { d.Channel = "a.b" }),
		"data: no channel":                  data(func(d *Data) { d.Channel = "" }),
		"data: number 0":                    data(func(d *Data) { d.Number = 0 }),
		"data: ends before it begins":       data(func(d *Data) { d.Prev = Position{d.Run, d.Last + 1} }),
		"data: negative time":               data(func(d *Data) { d.EngineNow = -1 }),
		"data: skip of sequence 0":          data(func(d *Data) { d.Skips = []Skip{{0, 1, 1, Expired}} }),
		"data: skip backwards":              data(func(d *Data) { d.Skips = []Skip{{5, 4, 1, Expired}} }),
		"data: skips overlap":               data(func(d *Data) { d.Skips = []Skip{{1, 5, 1, Expired}, {5, 6, 1, Expired}} }),
		"data: skips descend":               data(func(d *Data) { d.Skips = []Skip{{4, 5, 1, Expired}, {1, 2, 1, Expired}} }),
		"data: skip beyond the end":         data(func(d *Data) { d.Skips = []Skip{{4, d.Last + 1, 1, Expired}} }),
		"data: skip behind the end":         data(func(d *Data) { d.Skips = []Skip{{4, d.Last, 1, Expired}, {d.Last + 1, d.Last + 1, 1, Expired}} }),
		"data: skip beyond the last number": data(func(d *Data) { d.Last = 1<<64 - 1; d.Skips = []Skip{{4, 1<<64 - 1, 1, Expired}, {0, 1, 1, Expired}} }),
		"data: skip without reason":         data(func(d *Data) { d.Skips = []Skip{{4, 5, 1, 0}} }),
		"data: skip for another reason":     data(func(d *Data) { d.Skips = []Skip{{4, 5, 1, Corrupt + 1}} }),
		"data: skip counts too many":        data(func(d *Data) { d.Skips = []Skip{{4, 5, 3, Purged}} }),
		"data: too many skips":              data(func(d *Data) { d.Last = 1 << 20; d.Skips = manySkips(MaxSkips + 1) }),
		"data: an empty batch":              data(func(d *Data) { d.Batches[0].Blob = nil }),
		"data: a batch from sequence 0":     data(func(d *Data) { d.Batches[0].First = 0 }),
		"data: a batch beyond the end":      data(func(d *Data) { d.Batches[0].Last++ }),
		"data: batches overlap":             data(func(d *Data) { d.Batches = append(d.Batches, Carried{303, 303, []byte{1}}) }),
		"data: a batch behind the end":      data(func(d *Data) { d.Batches = append(d.Batches, Carried{304, 304, []byte{1}}) }),
		"data: a batch of too many":         data(func(d *Data) { d.Last = 1 << 30; d.Batches[0].Last = d.Batches[0].First + MaxMessages }),
		"data: a piece from sequence 0":     data(func(d *Data) { d.Piece = &Piece{Total: 4, Data: []byte("ab")} }),
		"data: a piece of what is to come":  data(func(d *Data) { d.Piece = &Piece{First: d.Last + 1, Total: 4, Data: []byte("ab")} }),
		"data: a piece of too many":         data(func(d *Data) { d.Last = 1 << 30; d.Piece = &Piece{First: 5, Total: 4, Data: []byte("ab")} }),
		"data: an empty piece":              data(func(d *Data) { d.Batches = nil; d.Piece = &Piece{First: 300, Total: 4} }),
		"data: a piece beyond its batch":    data(func(d *Data) { d.Piece = &Piece{First: 300, Offset: 3, Total: 4, Data: []byte("ab")} }),
		"data: a piece that wraps":          data(func(d *Data) { d.Piece = &Piece{First: 300, Offset: 1<<64 - 1, Total: 4, Data: []byte("ab")} }),
		"data: a piece of a giant":          data(func(d *Data) { d.Piece = &Piece{First: 300, Total: MaxBatch + 1, Data: []byte("ab")} }),
		"status: state 0":                   status(func(s *Status) { s.State = 0 }),
		"status: unknown state":             status(func(s *Status) { s.State = Unknown + 1 }),
		"status: illegal channel":           status(func(s *Status) { s.Channel = "a b" }),
		"status: channel without a name":    status(func(s *Status) { s.Channels[0].Name = "" }),
		"status: giant piece":               status(func(s *Status) { s.Channels[0].Piece = MaxBatch + 1 }),
		"status: too many channels":         status(func(s *Status) { s.Channels = make([]StatusChannel, MaxChannels+1) }),
		"announcement: illegal node":        hello(func(a *Announcement) { a.Node = "ä" }),
		"announcement: no role":             hello(func(a *Announcement) { a.Channels[0].Role = 0 }),
		"announcement: unknown role":        hello(func(a *Announcement) { a.Channels[0].Role = 4 }),
		"announcement: unknown claim":       hello(func(a *Announcement) { a.Claim = 3 }),
		"announcement: left without a name": hello(func(a *Announcement) { a.Left[0].Name = "" }),
		"announcement: negative uptime":     hello(func(a *Announcement) { a.Uptime = -1 }),
		"open: illegal scope":               open(func(o *Open) { o.Scope = "*" }),
		"open: a name of 65 bytes":          open(func(o *Open) { o.Channels[0].Name = strings.Repeat("a", 65) }),
		"open: negative time":               open(func(o *Open) { o.EngineNow = -1 }),
		"management: too many arguments":    manage(func(m *Management) { m.Args = make([]string, MaxArgs+1) }),
		"management: too many channels":     manage(func(m *Management) { m.Channels = make([]OpenChannel, MaxChannels+1) }),
		"management: illegal channel":       manage(func(m *Management) { m.Channels[0].Name = "a.b" }),
	} {
		b := f.Append(nil)
		if err := f.Parse(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manySkips(n int) (list []Skip) {
	for i := range n {
		list = append(list, Skip{uint64(i + 1), uint64(i + 1), 1, Purged})
	}
	return list
}

// Whatever a peer claims of its lists, memory is only taken for elements that are there.
func TestCountsAreBounded(t *testing.T) {
	r := reader{b: appendUint(nil, MaxChannels)}
	if n := r.count(MaxChannels, 3); n != 0 || !r.bad {
		t.Fatalf("%d elements taken from an empty list", n)
	}
	r = reader{b: append(appendUint(nil, 2), 1, 2, 3, 4, 5)}
	if r.count(MaxChannels, 3); !r.bad {
		t.Fatal("five bytes cannot hold two elements of three")
	}
}

func TestTextsAreCut(t *testing.T) {
	s := exampleStatus()
	s.Reason = "a" + strings.Repeat("é", MaxText) + "\xff"
	s.Channels[0].Committed = make([]Position, MaxPositions+1)
	got, err := ParseStatus(s.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Reason != "a"+strings.Repeat("é", MaxText/2-1) {
		t.Errorf("reason of %d bytes", len(got.Reason))
	}
	if n := len(got.Channels[0].Committed); n != MaxPositions {
		t.Errorf("%d positions", n)
	}
}

func TestDataSize(t *testing.T) {
	d := exampleData()
	all := ^uint64(0)
	d.Session.Counter, d.Number, d.Join, d.Prev.Seq, d.Last, d.EngineNow = all, all, all, all-1, all, MaxTime
	d.Channel = strings.Repeat("c", MaxName)
	d.Skips = []Skip{{all / 4, all / 2, 0, Purged}, {all/2 + 2 + all/4, all - 1, 0, Purged}}
	d.Batches = []Carried{{all - MaxMessages + 1, all, make([]byte, 1<<21)}}
	payload := 1 << 21
	if n := len(d.Append(nil)) - payload; n > MaxDataHead+2*MaxSkipSize+MaxBatchSize {
		t.Errorf("%d bytes beside the batch", n)
	}
	d.Skips, d.Batches = nil, nil
	d.Piece = &Piece{First: all - 1, Offset: MaxBatch - 1, Total: MaxBatch, Data: []byte{1}}
	if n := len(d.Append(nil)) - 1; n > MaxDataHead {
		t.Errorf("%d bytes beside the piece", n)
	}
}

func TestTextsAreUTF8(t *testing.T) {
	b := exampleStatus().Append(nil)
	b[bytes.Index(b, []byte("no writer"))] = 0xff
	if _, err := ParseStatus(resum(b, 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("%v", err)
	}
}

func TestPieceDamaged(t *testing.T) {
	b := examplePiece().Append(nil)
	b[len(b)-1] ^= 1
	if _, err := ParseData(b); !errors.Is(err, ErrChecksum) {
		t.Errorf("%v", err)
	}
}

func TestParseDataAllocates(t *testing.T) {
	b := exampleData().Append(nil)
	var d Data
	if err := d.Parse(b); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = d.Parse(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if blob := d.Batches[0].Blob; &blob[0] != &b[len(b)-len(blob)] {
		t.Error("batches were copied")
	}
}
