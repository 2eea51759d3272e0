package lane

// Verdict is what a Receiver says of a frame.
type Verdict uint8

const (
	Take      Verdict = iota + 1 // the next frame in order: its messages after From are new
	Duplicate                    // taken before
	Missing                      // a frame before it is missing
	Stale                        // of a channel or join that the session does not carry, or contradicts what was reported: open anew
)

// Piece places the bytes of a frame within a batch that does not fit into one.
type Piece struct {
	Offset, Length, Total uint64
}

// Arrival describes a frame that came in.
type Arrival struct {
	Number  uint64
	Channel string
	Join    uint64
	Prev    Position
	Run     ID
	Last    uint64
	Piece   *Piece
	Empty   bool // a probe: it takes no number
}

// Place is how far a Receiver has taken one channel.
type Place struct {
	Channel  string
	Join     uint64
	Received Position
	Piece    uint64 // bytes taken of the batch after Received
}

// Receiver is the receiving side of one lane: what was taken into memory in order, never what was acknowledged. Places
// survive from one session to the next, so that a message in memory is not handed over twice.
type Receiver struct {
	number   uint64
	channels map[string]*place
}

type place struct {
	join  uint64
	taken map[ID]uint64 // per run, the last sequence taken or committed
	run   ID            // the newest of them
	piece begun
	fresh bool // no frame of the channel was taken in this session
}

// begun is the batch of which a part was taken. The zero value is none.
type begun struct {
	run         ID
	last, total uint64
	bytes       uint64 // taken of it
}

// NewReceiver returns a Receiver without a session.
func NewReceiver() *Receiver { return &Receiver{channels: map[string]*place{}} }

// Known tells whether the Receiver holds a place for the join.
func (r *Receiver) Known(channel string, join uint64) bool {
	p := r.channels[channel]
	return p != nil && p.join == join
}

// Load sets a join's place from what is durable: committed positions, newest run first.
func (r *Receiver) Load(channel string, join uint64, committed []Position) {
	p := &place{join: join, taken: map[ID]uint64{}}
	for i, c := range committed {
		p.taken[c.Run] = c.Seq
		if i == 0 {
			p.run = c.Run
		}
	}
	r.channels[channel] = p
}

// Open begins a new session over the channels named; numbers start again.
func (r *Receiver) Open() {
	r.number = 0
	for _, p := range r.channels {
		p.fresh = true
	}
}

// Received is the number of the last frame taken in the session.
func (r *Receiver) Received() uint64 { return r.number }

// Place tells how far a channel was taken.
func (r *Receiver) Place(channel string) (Place, bool) {
	p := r.channels[channel]
	if p == nil {
		return Place{}, false
	}
	return Place{channel, p.join, Position{p.run, p.taken[p.run]}, p.piece.bytes}, true
}

// Forget drops a channel's place: its join ended.
func (r *Receiver) Forget(channel string) { delete(r.channels, channel) }

// Recall takes a channel back to a place it had in this session: what was taken since turned out to be unusable.
func (r *Receiver) Recall(channel string, to Position) {
	p := r.channels[channel]
	if p == nil {
		return
	}
	if p.run != to.Run {
		delete(p.taken, p.run)
	}
	if to.Seq > 0 {
		p.taken[to.Run] = to.Seq
	} else {
		delete(p.taken, to.Run)
	}
	p.run, p.piece = to.Run, begun{}
}

// Restart forgets what was taken of the batch that a channel is in the middle of.
func (r *Receiver) Restart(channel string) {
	if p := r.channels[channel]; p != nil {
		p.piece = begun{}
	}
}

// Arrive judges a frame. For Take, the messages of a.Run above from are new; a frame of skips or a piece is judged alike.
func (r *Receiver) Arrive(a Arrival) (v Verdict, from uint64) {
	switch {
	case a.Number > r.number+1, a.Empty && a.Number > r.number:
		return Missing, 0
	case a.Number <= r.number:
		return Duplicate, 0
	}
	p := r.channels[a.Channel]
	if p == nil || p.join != a.Join || p.hole(a.Prev) {
		return Stale, 0
	}
	if a.Piece != nil {
		return r.arrivePiece(p, a)
	}
	r.number = a.Number
	p.piece = begun{}
	return Take, p.advance(a)
}

// Refuse lets a frame's number count without taking anything of the frame, so that those behind it are not missing one.
func (r *Receiver) Refuse(a Arrival) Verdict {
	switch {
	case a.Number > r.number+1, a.Empty && a.Number > r.number:
		return Missing
	case a.Number <= r.number:
		return Duplicate
	}
	r.number = a.Number
	return Take
}

// hole tells whether a frame that begins after prev leaves something out. The first frame of a session may begin in a run that
// is not known here, for the sender has chosen its place from what was reported.
func (p *place) hole(prev Position) bool {
	seq, known := p.taken[prev.Run]
	if known && prev.Run == p.run {
		return prev.Seq > seq
	}
	return !p.fresh && !known && prev.Seq != 0
}

func (p *place) advance(a Arrival) uint64 {
	p.fresh = false
	from := p.taken[a.Run]
	if a.Prev.Run == a.Run || from == 0 {
		from = max(from, a.Prev.Seq)
	}
	p.taken[a.Run] = max(from, a.Last)
	p.run = a.Run
	return from
}

// arrivePiece judges a piece. Its from counts when the piece completes the batch.
func (r *Receiver) arrivePiece(p *place, a Arrival) (v Verdict, from uint64) {
	if a.Last <= p.taken[a.Run] { // the whole batch was taken before
		r.number = a.Number
		return Duplicate, 0
	}
	if p.piece.run != a.Run || p.piece.last != a.Last || p.piece.total != a.Piece.Total { // what was begun, if anything, is not sent on
		if a.Piece.Offset > 0 {
			return Stale, 0
		}
		p.piece = begun{run: a.Run, last: a.Last, total: a.Piece.Total}
	}
	end := a.Piece.Offset + a.Piece.Length
	switch {
	case a.Piece.Offset > p.piece.bytes:
		return Stale, 0
	case end <= p.piece.bytes:
		r.number = a.Number
		return Duplicate, 0
	case a.Piece.Offset != p.piece.bytes:
		return Stale, 0
	}
	r.number = a.Number
	p.piece.bytes = end
	if end < a.Piece.Total {
		return Take, 0
	}
	p.piece = begun{}
	return Take, p.advance(a)
}
