package inbox

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// journal has a batch kept with the next commit of the channel's place, which is the one that moves into or past it. Received are the messages that
// are not known from before and that the sender does not skip.
func (l *receiver) journal(it *item, i int) {
	b := &it.batches[i].Head
	ranges := received(max(b.First, it.from+1), b.Last, it.skips)
	if len(ranges) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.progress[it.channel]; p != nil && p.join == it.join {
		p.journal = append(p.journal, store.Received{Sender: l.key.sender, Node: l.node, Run: it.run, First: b.First, Ranges: ranges,
			Wall: time.Now().UnixMilli(), Blob: it.blobs[i]})
	}
}

// received is what is left of from to last without the skips, which ascend.
func received(from, last uint64, skips []wire.Skip) (list []store.Range) {
	for _, s := range skips {
		if s.To < from {
			continue
		}
		if s.From > last {
			break
		}
		if s.From > from {
			list = append(list, store.Range{From: from, To: s.From - 1})
		}
		from = s.To + 1
	}
	if from <= last {
		list = append(list, store.Range{From: from, To: last})
	}
	return list
}
