package inbox

import (
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
)

// known is the planted bug of dedupe by node id: everything up to a sequence counts as had, if any store that the node ever had was
// heard up to there.
func (l *receiver) known(channel string) (seq uint64) {
	all, ok := l.box.log.(interface{ AllPositions() []store.Position })
	if !planted.NodeDedupe || !ok {
		return 0
	}
	for _, p := range all.AllPositions() {
		if p.Node == l.node && p.Channel == channel && p.Sender != l.key.sender {
			seq = max(seq, p.Seq)
		}
	}
	return seq
}
