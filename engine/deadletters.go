package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// DeadLetter is a message this node was sent and gave up on.
type DeadLetter struct {
	ID        int64  // grows, and is never given twice in one database
	MessageID string // Message.ID of the message
	Channel   string
	Sender    string // the sender's node id when the message died
	Seq       uint64 // its sequence in the sender's log
	Reason    string // why the last attempt failed
	Attempts  int    // how often it was tried, redrives included
	At        time.Time
	Size      int // bytes that are stored of it
	// Message is the message itself; nil in lists, and if it is damaged.
	Message *Message
}

// DeadLetterFilter chooses dead letters. The zero value of a field leaves it out.
type DeadLetterFilter struct {
	Channel string
	Sender  string // a node id
	After   int64  // only ids above this one
	Through int64  // only ids up to this one
	Limit   int    // how many at most, the lowest ids first; 0: 100
}

const deadLetterPage = 100

func (f *DeadLetterFilter) query() store.DeadLetterQuery {
	q := store.DeadLetterQuery{Channel: f.Channel, Node: f.Sender, After: f.After, Through: f.Through, Limit: f.Limit}
	if q.Limit <= 0 {
		q.Limit = deadLetterPage
	}
	return q
}

// DeadLetters lists dead letters, oldest first, without their messages. The ID of the last one is the After of the next page; fewer than
// Limit: there are no more.
func (c *Connection) DeadLetters(f DeadLetterFilter) ([]DeadLetter, error) {
	rows, err := c.node.Store().DeadLetters(f.query())
	if err != nil {
		return nil, publicError(err)
	}
	list := make([]DeadLetter, len(rows))
	for i := range rows {
		list[i] = publicLetter(&rows[i])
	}
	return list, nil
}

// LastDeadLetter is the id of the newest dead letter; 0: there is none.
func (c *Connection) LastDeadLetter() (int64, error) {
	id, err := c.node.Store().LastDeadLetter()
	return id, publicError(err)
}

// DeadLetter returns one dead letter with its message, or ErrNoDeadLetter.
func (c *Connection) DeadLetter(id int64) (*DeadLetter, error) {
	row, ok, err := c.node.Store().DeadLetter(id)
	if err == nil && !ok {
		err = ErrNoDeadLetter
	}
	if err != nil {
		return nil, fmt.Errorf("dead letter %d: %w", id, publicError(err))
	}
	l := publicLetter(&row)
	if m, err := wire.ParseOne(row.Message); err == nil {
		l.Message = newMessage(&inbox.Delivery{Sender: row.Sender, Node: row.Node, Channel: row.Channel, Run: row.Run, Seq: row.Seq, Message: *m, Attempt: row.Attempts, LastError: row.Reason})
		l.Message.over = true // it can be looked at, not acked
	}
	return &l, nil
}

func publicLetter(l *store.DeadLetter) DeadLetter {
	return DeadLetter{ID: l.ID, MessageID: string(wire.AppendMessageID(nil, l.Sender, l.Run, l.Seq)), Channel: l.Channel, Sender: l.Node, Seq: l.Seq,
		Reason: l.Reason, Attempts: l.Attempts, At: time.UnixMilli(l.Wall), Size: l.Size}
}

// Redrive gives a dead letter's message to its channel's consumer once more: out of order, in the channel's turn, whatever its time to
// live. If the consumer handles it, its effects, the end of the dead letter and the counts (one less dead, one more handled, here and
// then at the sender) are one transaction, and Redrive returns when that is durable. Otherwise the error wraps ErrStillDead, and the
// letter has the new reason; a redrive makes a single attempt. Other errors, such as ErrNoConsumer, leave the letter as it was.
func (c *Connection) Redrive(ctx context.Context, id int64) error {
	if err := c.node.Redrive(ctx, id); err != nil {
		return fmt.Errorf("redrive dead letter %d: %w", id, publicError(err))
	}
	return nil
}

// Redriven is what became of the dead letters of one RedriveDeadLetters.
type Redriven struct {
	Handled int
	Failed  []RedriveFailure // those that are dead letters still
	Through int64            // the newest dead letter when it began, or the filter's Through
	Next    int64            // the After to go on with; 0: all are done
}

// RedriveFailure is why one dead letter was not handled.
type RedriveFailure struct {
	ID  int64
	Err error
}

// RedriveDeadLetters redrives each dead letter that the filter chooses once, oldest first, at most Limit of them; call it again with the
// result's Next and Through until Next is 0. What dies meanwhile is not among them. It stops early, with what it has done and an error, when ctx
// ends or the connection closes.
func (c *Connection) RedriveDeadLetters(ctx context.Context, f DeadLetterFilter) (Redriven, error) {
	r := Redriven{Through: f.Through}
	list, err := c.bounded(&f, &r.Through)
	if err != nil {
		return r, err
	}
	for _, l := range list {
		switch err := c.Redrive(ctx, l.ID); {
		case err == nil:
			r.Handled++
		case errors.Is(err, ErrClosed), errors.Is(err, ErrStorage), ctx.Err() != nil:
			return r, err
		case !errors.Is(err, ErrNoDeadLetter): // else somebody was quicker
			r.Failed = append(r.Failed, RedriveFailure{l.ID, err})
		}
	}
	r.Next = f.next(list)
	return r, nil
}

// bounded lists what a filter chooses now, and settles its upper bound.
func (c *Connection) bounded(f *DeadLetterFilter, through *int64) ([]DeadLetter, error) {
	if *through == 0 {
		last, err := c.node.Store().LastDeadLetter()
		if err != nil || last == 0 {
			return nil, publicError(err)
		}
		*through = last
	}
	f.Through = *through
	return c.DeadLetters(*f)
}

func (f *DeadLetterFilter) next(list []DeadLetter) int64 {
	q := f.query()
	if len(list) < q.Limit {
		return 0
	}
	return list[len(list)-1].ID
}

// DropDeadLetter deletes a dead letter for good; its message stays counted as dead.
func (c *Connection) DropDeadLetter(id int64) error {
	_, ok, err := c.node.Store().DeadLetter(id)
	if err == nil && !ok {
		err = ErrNoDeadLetter
	}
	if err == nil {
		err = c.node.DropLetters([]int64{id})
	}
	if err != nil {
		return fmt.Errorf("drop dead letter %d: %w", id, publicError(err))
	}
	return nil
}

// DropDeadLetters deletes the dead letters that the filter chooses, at most Limit of them in one transaction. Next and through are as in
// Redriven.
func (c *Connection) DropDeadLetters(f DeadLetterFilter) (dropped int, next, through int64, err error) {
	through = f.Through
	list, err := c.bounded(&f, &through)
	if err != nil || len(list) == 0 {
		return 0, 0, through, err
	}
	ids := make([]int64, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	if err := c.node.DropLetters(ids); err != nil {
		return 0, 0, through, fmt.Errorf("drop dead letters: %w", publicError(err))
	}
	return len(ids), f.next(list), through, nil
}
