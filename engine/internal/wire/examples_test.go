package wire

// Fixed values for golden files and seeds: every field set, and differently.

func exampleID(first byte) (id ID) {
	for i := range id {
		id[i] = first + byte(i)
	}
	return id
}

func exampleMessages() []Message {
	cause := &Cause{Store: exampleID(0x30), Run: exampleID(0x40), Seq: 7, Index: 2}
	return []Message{
		{Engine: 1000, Wall: 1700000000000, TTL: 60000, Data: []byte("first")},
		{Engine: 1000, Wall: 1700000000000, TTL: 60000, Data: []byte("second: nothing but data")},
		{Engine: 1005, Wall: 1700000000004, TTL: 0, Hops: 3, Cause: cause, Headers: []Header{{"kind", "alarm"}, {"kind", ""}}, Data: []byte("third")},
		{Engine: 1005, Wall: 1600000000000, TTL: 0},
	}
}

// exampleSegments holds the example messages in two segments.
func exampleSegments() [][]byte {
	var list [][]byte
	for _, part := range [][]Message{exampleMessages()[:3], exampleMessages()[3:]} {
		var w SegmentWriter
		for i := range part {
			if err := w.Append(&part[i]); err != nil {
				panic(err)
			}
		}
		list = append(list, w.Bytes())
	}
	return list
}

func exampleHead() BatchHead {
	return BatchHead{Run: exampleID(0x10), Channel: "chat", First: 300, Last: 303, Prev: 290, Earliest: 61000, Latest: 0}
}

// compressibleBatch is a batch worth compressing: the example messages five times.
func compressibleBatch() (blob []byte, head BatchHead, messages []Message) {
	head = exampleHead()
	head.Last = head.First + 19
	var segments [][]byte
	for range 5 {
		segments = append(segments, exampleSegments()...)
		messages = append(messages, exampleMessages()...)
	}
	return SealBatch(nil, head, segments, true), head, messages
}

func exampleBatch() []byte { return SealBatch(nil, exampleHead(), exampleSegments(), false) }

func exampleOpen() *Open {
	return &Open{
		SenderStore: exampleID(0), Session: Session{exampleID(0x10), 4}, ReceiverStore: exampleID(0x20), ReceiverRun: exampleID(0x50),
		Scope: "chat", EngineNow: 2000, Channels: []OpenChannel{{"chat", 2, exampleID(0x70)}, {"x", 300, ID{}}},
	}
}

func exampleData() *Data {
	return &Data{
		Session: Session{exampleID(0x10), 4}, ReceiverRun: exampleID(0x50), Number: 9, Channel: "chat", Join: 2,
		Prev: Position{exampleID(0x10), 290}, Run: exampleID(0x10), Last: 303, EngineNow: 2001,
		Skips: []Skip{{291, 299, 4, Purged}, {300, 300, 1, Expired}, {302, 302, 1, Corrupt}}, Batches: []Carried{{300, 303, exampleBatch()}},
	}
}

func examplePiece() *Data {
	d := exampleData()
	d.Skips, d.Batches = nil, nil
	d.Piece = &Piece{First: 300, Offset: 10, Total: 100, Data: []byte("ten to nineteen")}
	return d
}

func exampleStatus() *Status {
	return &Status{
		ReceiverStore: exampleID(0x20), ReceiverRun: exampleID(0x50), SenderStore: exampleID(0), Session: Session{exampleID(0x10), 4},
		State: Refused, Opened: true, Channel: "x", Reason: "no writer there", Received: 8,
		Channels: []StatusChannel{{
			Name: "chat", Join: 2, Committed: []Position{{exampleID(0x10), 280}, {exampleID(0x60), 44}}, Received: Position{exampleID(0x10), 290},
			Piece: 65536, Totals: Totals{1, 2, 3, 4, 5, 6, 700}, State: OK, Proof: exampleID(0x70),
		}},
	}
}

func exampleAnnouncement() *Announcement {
	return &Announcement{
		Node: "node-1", Store: exampleID(0), Run: exampleID(0x10), Version: "1.2.3", Batches: Versions{1, 2}, Ask: true, Uptime: 3600, Claim: 1, Fenced: true, Rival: exampleID(0x20),
		Channels: []AnnouncedChannel{{"chat", 2, Both, true, true}, {"x", 300, Writer, false, false}}, Left: []OpenChannel{{Name: "old", Join: 1}},
	}
}

func exampleManagement() *Management {
	return &Management{Verb: 3, Store: exampleID(0), Run: exampleID(0x10), ID: 77, Args: []string{"bob", "naïve"}, Channels: []OpenChannel{{Name: "chat", Join: 2}, {Name: "x", Join: 300}}}
}
