package router

import (
	"errors"

	"github.com/getevo/rmds-router/router/admin"
)

// DamagedBatches lists what is damaged: of this node's own log first, then what came damaged.
func (r *Router) DamagedBatches() ([]admin.DamagedBatch, error) {
	own, err := r.engine.QuarantinedBatches()
	received, err2 := r.engine.DamagedBatches()
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	list := make([]admin.DamagedBatch, 0, len(own)+len(received))
	for _, b := range own {
		one := admin.DamagedBatch{Where: "log", Node: r.node, Channel: b.Channel, First: b.First, Last: b.Last, FoundMs: b.At.UnixMilli(), Cause: b.Cause}
		if b.Last >= b.First {
			one.Count = b.Last - b.First + 1
		}
		list = append(list, one)
	}
	for _, b := range received {
		list = append(list, admin.DamagedBatch{Where: "received", Node: b.Sender, Channel: b.Channel, First: b.First, Last: b.Last, Count: b.Last - b.First + 1, FoundMs: b.At.UnixMilli(), Cause: b.Cause, Kept: &b.Size})
	}
	return list, nil
}
