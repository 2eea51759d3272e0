package wire

import (
	"errors"
	"testing"
)

// known says whether err is nil or one of the errors that a parser promises.
func known(err error) bool {
	for _, want := range []error{nil, ErrShort, ErrChecksum, ErrVersion, ErrKind, ErrMalformed} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// fuzzFrame holds a parser to its promises: whatever it gets it returns, and what it takes survives a round trip.
// rest bytes stand behind the fields, so that mutations reach the fields with a right checksum.
func fuzzFrame(f *testing.F, name string, seeds ...frame) {
	empty := frameKinds[0].empty
	for _, k := range frameKinds {
		if k.name == name {
			empty = k.empty
		}
	}
	for _, s := range seeds {
		f.Add(s.Append(nil), uint16(0))
		f.Add(s.Append(nil), uint16(len(exampleBatch())))
	}
	f.Fuzz(func(t *testing.T, b []byte, rest uint16) {
		for _, input := range [][]byte{b, resum(b, int(rest))} {
			got, again := empty(), empty()
			if err := got.Parse(input); err != nil {
				if !known(err) {
					t.Fatalf("unexpected %v", err)
				}
				continue
			}
			if err := again.Parse(got.Append(nil)); err != nil || !same(got, again) {
				t.Fatalf("%s came back as %s: %v", show(got), show(again), err)
			}
		}
	})
}

func FuzzOpen(f *testing.F)         { fuzzFrame(f, "open", exampleOpen(), new(Open)) }
func FuzzData(f *testing.F)         { fuzzFrame(f, "data", exampleData(), examplePiece()) }
func FuzzStatus(f *testing.F)       { fuzzFrame(f, "status", exampleStatus(), &Status{State: OK}) }
func FuzzAnnouncement(f *testing.F) { fuzzFrame(f, "announcement", exampleAnnouncement()) }
func FuzzManagement(f *testing.F) {
	fuzzFrame(f, "management", exampleManagement(), &Management{Response: true})
}

func FuzzBatch(f *testing.F) {
	packed, _, _ := compressibleBatch()
	f.Add(packed)
	f.Add(exampleBatch())
	f.Add(sum(append(exampleBatch(), 0), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > batchFixed {
			b = sum(append([]byte{}, b...), 0)
		}
		batch, err := ParseBatch(b)
		if err != nil {
			if !known(err) {
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		d, err := batch.Decoder()
		if err != nil {
			return
		}
		var m Message
		var w SegmentWriter
		var messages []Message
		for ok := true; ok; {
			if ok, err = d.Next(&m); err != nil {
				if !errors.Is(err, ErrMalformed) {
					t.Fatalf("unexpected %v", err)
				}
				return
			}
			if ok {
				messages = append(messages, m)
				if err := w.Append(&m); err != nil {
					t.Fatalf("decoded %+v, which cannot be encoded: %v", m, err)
				}
			}
		}
		checkBatch(t, SealBatch(nil, batch.Head, [][]byte{w.Bytes()}, true), batch.Head, messages)
	})
}

func FuzzOne(f *testing.F) {
	for _, m := range exampleMessages() {
		b, err := SealOne(nil, &m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseOne(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		c, err := SealOne(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseOne(c); err != nil || !same(m, again) {
			t.Fatalf("%+v came back as %+v: %v", m, again, err)
		}
	})
}

func FuzzMessageID(f *testing.F) {
	f.Add(string(AppendMessageID(nil, exampleID(0), exampleID(0x10), 300)))
	f.Add("x")
	f.Fuzz(func(t *testing.T, text string) {
		store, run, seq, err := ParseMessageID(text)
		if err == nil && string(AppendMessageID(nil, store, run, seq)) != text {
			t.Fatalf("%q has another text", text)
		}
	})
}

func FuzzSubject(f *testing.F) {
	s := &subjects
	for _, seed := range []string{s.Data("c", "b", "a"), s.Open("b", "a"), s.Status("a", "b"), s.KeepaliveFrom("c", "a"), s.DiscoveryFrom("a"), s.ManagementFrom("b", "a"), "rmds..", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		a, ok := s.Parse(subject)
		if !ok {
			return
		}
		back := map[SubjectKind]string{
			SubjectData: s.Data(a.Channel, a.To, a.From), SubjectOpen: s.Open(a.To, a.From), SubjectStatus: s.Status(a.To, a.From),
			SubjectKeepalive: s.KeepaliveFrom(a.Channel, a.From), SubjectDiscovery: s.DiscoveryFrom(a.From), SubjectManagement: s.ManagementFrom(a.To, a.From),
		}[a.Kind]
		if back != subject {
			t.Fatalf("%q was read as %+v", subject, a)
		}
	})
}
