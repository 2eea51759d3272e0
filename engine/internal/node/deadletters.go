package node

import (
	"context"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Redrive hands a dead letter to its consumer once more; see inbox.Redrive.
func (n *Node) Redrive(ctx context.Context, id int64) error {
	err := n.in.Redrive(ctx, id)
	n.log.Info().Int64("letter", id).AnErr("failed", err).Msg("a dead letter was redriven")
	return err
}

// DropLetters deletes dead letters for good, and puts that on record.
func (n *Node) DropLetters(ids []int64) error {
	var named wire.Management
	n.name(&named)
	e := store.AuditEntry{Order: store.Order{Store: named.Store, Run: named.Run, Number: named.ID}, Node: n.id, Wall: time.Now().UnixMilli(),
		Action: clip(fmt.Sprintf("drop the dead letters %v", ids)), Outcome: "dropped", Over: true}
	err := n.in.Drop(ids, e)
	n.log.Warn().Ints64("letters", ids).AnErr("failed", err).Msg("dead letters were dropped")
	return err
}
