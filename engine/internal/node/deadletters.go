package node

import "context"

// Redrive hands a dead letter to its consumer once more; see inbox.Redrive.
func (n *Node) Redrive(ctx context.Context, id int64) error {
	err := n.in.Redrive(ctx, id)
	n.log.Info().Int64("letter", id).AnErr("failed", err).Msg("a dead letter was redriven")
	return err
}

// DropLetters deletes dead letters for good.
func (n *Node) DropLetters(ids []int64) error {
	err := n.in.Drop(ids)
	n.log.Warn().Ints64("letters", ids).AnErr("failed", err).Msg("dead letters were dropped")
	return err
}
