package engine

import (
	"encoding/hex"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
)

// DamagedBatch is a run of messages that came damaged in every copy, ended here as corrupt, and is kept for people to look at.
type DamagedBatch struct {
	ID          int64 // grows, and is never given twice in one database
	Channel     string
	Sender      string // the sender's node id when it was given up
	SenderStore string // in hexadecimal digits
	Run         string // that wrote it, in hexadecimal digits
	First, Last uint64 // its sequences in the sender's log
	At          time.Time
	Cause       string
	Size        int // bytes that are kept of it: all, or none, when there was no room for them or newer ones have taken it
}

// QuarantinedBatch is a run of messages of this node's own log that cannot be read back as they were written. Readers that were not past them are told
// that they are corrupt. The batch stays in the database for people to look at.
type QuarantinedBatch struct {
	Channel string // empty: that cannot be read either
	First   uint64 // its first sequence
	Last    uint64 // its last; 0: that cannot be read either
	At      time.Time
	Cause   string
}

// QuarantinedBatches lists what is damaged in this node's own log, as far as anybody came upon it, by sequence.
func (c *Connection) QuarantinedBatches() ([]QuarantinedBatch, error) {
	rows, err := c.node.Store().Quarantine()
	if err != nil {
		return nil, publicError(err)
	}
	list := make([]QuarantinedBatch, len(rows))
	for i, q := range rows {
		list[i] = QuarantinedBatch{Channel: q.Channel, First: q.First, Last: q.Last, At: time.UnixMilli(q.Found), Cause: q.Cause}
	}
	return list, nil
}

// DamagedBatches lists what came damaged, in the order in which it was given up, at most the newest 64. What is damaged in this node's own log,
// QuarantinedBatches lists.
func (c *Connection) DamagedBatches() ([]DamagedBatch, error) {
	rows, err := c.node.Store().BadBatches()
	if err != nil {
		return nil, publicError(err)
	}
	list := make([]DamagedBatch, len(rows))
	for i := range rows {
		list[i] = publicDamage(&rows[i])
	}
	return list, nil
}

func publicDamage(b *store.BadBatch) DamagedBatch {
	return DamagedBatch{ID: b.ID, Channel: b.Channel, Sender: b.Node, SenderStore: hex.EncodeToString(b.Sender[:]), Run: hex.EncodeToString(b.Run[:]),
		First: b.First, Last: b.Last, At: time.UnixMilli(b.Found), Cause: b.Cause, Size: b.Size}
}

// DamagedBytes returns what came of a damaged batch; nil if nothing of it is kept.
func (c *Connection) DamagedBytes(id int64) ([]byte, error) {
	blob, err := c.node.Store().BadBlob(id)
	return blob, publicError(err)
}
