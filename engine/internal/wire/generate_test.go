package wire

import "pgregory.net/rapid"

// Generators of legal values of every type.

var (
	genID       = rapid.Custom(func(t *rapid.T) (id ID) { copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")); return })
	genName     = rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`)
	genText     = rapid.StringN(0, 40, MaxText)
	genTime     = rapid.Int64Range(0, MaxTime)
	genPosition = rapid.Custom(func(t *rapid.T) Position {
		return Position{Run: genID.Draw(t, "run"), Seq: rapid.Uint64().Draw(t, "seq")}
	})
	genSession = rapid.Custom(func(t *rapid.T) Session {
		return Session{Run: genID.Draw(t, "run"), Counter: rapid.Uint64().Draw(t, "counter")}
	})
	genJoin = rapid.Custom(func(t *rapid.T) OpenChannel {
		return OpenChannel{Name: genName.Draw(t, "name"), Join: rapid.Uint64().Draw(t, "join")}
	})
)

func genMessage(t *rapid.T) Message {
	m := Message{
		Engine: rapid.OneOf(rapid.Int64Range(0, 3), genTime).Draw(t, "engine"),
		Wall:   rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64()).Draw(t, "wall"),
		TTL:    rapid.OneOf(rapid.Int64Range(0, 2), genTime).Draw(t, "ttl"),
		Hops:   rapid.OneOf(rapid.Just(uint32(0)), rapid.Uint32()).Draw(t, "hops"),
		Data:   rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
	}
	if rapid.Bool().Draw(t, "caused") {
		m.Cause = &Cause{genID.Draw(t, "store"), genID.Draw(t, "run"), rapid.Uint64().Draw(t, "seq"), rapid.Uint32().Draw(t, "index")}
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		m.Headers = append(m.Headers, Header{rapid.StringN(1, 10, -1).Draw(t, "name"), rapid.String().Draw(t, "value")})
	}
	return m
}

func genOpen(t *rapid.T) *Open {
	o := &Open{
		SenderStore: genID.Draw(t, "store"), Session: genSession.Draw(t, "session"),
		ReceiverStore: genID.Draw(t, "receiver"), ReceiverRun: genID.Draw(t, "run"),
		EngineNow: genTime.Draw(t, "now"), Channels: rapid.SliceOf(genJoin).Draw(t, "channels"),
	}
	for i := range o.Channels {
		o.Channels[i].Proof = genID.Draw(t, "proof")
	}
	if rapid.Bool().Draw(t, "scoped") {
		o.Scope = genName.Draw(t, "scope")
	}
	return o
}

func genData(t *rapid.T) *Data {
	d := &Data{
		Session: genSession.Draw(t, "session"), ReceiverRun: genID.Draw(t, "receiver"),
		Number: rapid.Uint64Min(1).Draw(t, "number"), Channel: genName.Draw(t, "channel"), Join: rapid.Uint64().Draw(t, "join"),
		Prev: genPosition.Draw(t, "prev"), Run: genID.Draw(t, "run"), Last: rapid.Uint64().Draw(t, "last"), EngineNow: genTime.Draw(t, "now"),
	}
	if d.Prev.Run == d.Run {
		d.Prev.Seq = min(d.Prev.Seq, d.Last)
	}
	for next := uint64(1); next != 0 && next <= d.Last && len(d.Skips) < 4 && rapid.Bool().Draw(t, "skip"); {
		from := rapid.Uint64Range(next, d.Last).Draw(t, "from")
		to := rapid.Uint64Range(from, d.Last).Draw(t, "to")
		d.Skips = append(d.Skips, Skip{from, to, rapid.Uint64Range(0, to-from+1).Draw(t, "count"), Reason(rapid.IntRange(1, 5).Draw(t, "reason"))})
		next = to + 1
	}
	if d.Last > 0 && rapid.Bool().Draw(t, "piece") {
		p := &Piece{First: rapid.Uint64Range(max(d.Last, MaxMessages)-MaxMessages+1, d.Last).Draw(t, "first"), Total: rapid.Uint64Range(1, MaxBatch).Draw(t, "total")}
		p.Data = rapid.SliceOfN(rapid.Byte(), 1, int(min(p.Total, 50))).Draw(t, "bytes")
		p.Offset = rapid.Uint64Range(0, p.Total-uint64(len(p.Data))).Draw(t, "offset")
		d.Piece = p
		return d
	}
	for next := uint64(1); next != 0 && next <= d.Last && len(d.Batches) < 4 && rapid.Bool().Draw(t, "batch"); {
		first := rapid.Uint64Range(next, d.Last).Draw(t, "first")
		last := first + rapid.Uint64Range(0, min(d.Last-first, MaxMessages-1)).Draw(t, "more")
		d.Batches = append(d.Batches, Carried{first, last, rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "bytes")})
		next = last + 1
	}
	return d
}

func genStatus(t *rapid.T) *Status {
	s := &Status{
		ReceiverStore: genID.Draw(t, "store"), ReceiverRun: genID.Draw(t, "run"), SenderStore: genID.Draw(t, "sender"),
		Session: genSession.Draw(t, "session"), State: State(rapid.IntRange(1, int(Unknown)).Draw(t, "state")),
		Opened: rapid.Bool().Draw(t, "opened"), Reason: genText.Draw(t, "reason"), Received: rapid.Uint64().Draw(t, "received"),
	}
	if rapid.Bool().Draw(t, "about") {
		s.Channel = genName.Draw(t, "channel")
	}
	for range rapid.IntRange(0, 3).Draw(t, "channels") {
		c := StatusChannel{
			Name: genName.Draw(t, "name"), Join: rapid.Uint64().Draw(t, "join"),
			Committed: rapid.SliceOfN(genPosition, 0, 3).Draw(t, "committed"), Received: genPosition.Draw(t, "received"),
			Piece: rapid.Uint64Range(0, MaxBatch).Draw(t, "piece"), State: State(rapid.IntRange(0, int(Unknown)).Draw(t, "state")),
		}
		for _, n := range c.Totals.list() {
			*n = rapid.Uint64().Draw(t, "total")
		}
		if s.Opened {
			c.Proof = genID.Draw(t, "proof")
		}
		s.Channels = append(s.Channels, c)
	}
	return s
}

func genAnnouncement(t *rapid.T) *Announcement {
	a := &Announcement{
		Node: genName.Draw(t, "node"), Store: genID.Draw(t, "store"), Run: genID.Draw(t, "run"), Version: genText.Draw(t, "version"),
		Batches: Versions{rapid.Uint8Range(0, 3).Draw(t, "oldest"), rapid.Uint8Range(3, 255).Draw(t, "newest")}, Ask: rapid.Bool().Draw(t, "ask"), Goodbye: rapid.Bool().Draw(t, "goodbye"),
		Serial: rapid.Uint64().Draw(t, "serial"), Uptime: genTime.Draw(t, "uptime"),
		Claim: rapid.Byte().Draw(t, "claim") % (MaxClaim + 1), Fenced: rapid.Bool().Draw(t, "fenced"), Rival: genID.Draw(t, "rival"), Left: rapid.SliceOf(genJoin).Draw(t, "left"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "channels") {
		role := Role(rapid.IntRange(1, int(Both)).Draw(t, "role"))
		a.Channels = append(a.Channels, AnnouncedChannel{
			Name: genName.Draw(t, "name"), Join: rapid.Uint64().Draw(t, "join"),
			Role: role, Ready: rapid.Bool().Draw(t, "ready"), Replay: role&Reader != 0 && rapid.Bool().Draw(t, "replay"),
		})
	}
	return a
}

func genManagement(t *rapid.T) *Management {
	return &Management{
		Response: rapid.Bool().Draw(t, "response"), Verb: rapid.Byte().Draw(t, "verb"), Store: genID.Draw(t, "store"), Run: genID.Draw(t, "run"),
		ID: rapid.Uint64().Draw(t, "id"), Args: rapid.SliceOfN(genText, 0, 5).Draw(t, "args"), Channels: rapid.SliceOf(genJoin).Draw(t, "channels"),
	}
}
