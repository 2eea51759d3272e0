package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// The channels. Plain ones are read by callbacks; what is sent on the work channel is handled with effects, and each message there
// makes its handler emit one on the results channel.
const (
	work    = "work"
	results = "results"
)

// plan is everything about a simulation that is settled before it begins.
type plan struct {
	nodes    []*nodePlan
	faults   int
	payload  int // the network's
	backups  bool
	moving   bool // nodes leave, are kicked, and change their roles
	purging  bool
	steady   bool // nothing is sent by chance, and what a handler does to a message in the end depends on nothing but its key
	expiring bool
	lossy    float64 // what the network loses, repeats and reorders when nothing is wrong with it
}

type nodePlan struct {
	id      string
	config  engine.Config
	joins   []joinPlan
	startAt int           // with which fault the node comes up for the first time
	late    time.Duration // how long after the join the last consumer is attached
	sync    time.Duration // what a sync of its disk takes
	ordered bool          // it has never sent but in one order over all channels
}

type joinPlan struct {
	channel string
	mode    engine.Mode
	own     bool
	effects bool
	emitTo  string
	journal bool
}

func (n *nodePlan) join(channel string) *joinPlan {
	for i := range n.joins {
		if n.joins[i].channel == channel {
			return &n.joins[i]
		}
	}
	return nil
}

func (j *joinPlan) reads() bool  { return j.mode&engine.ReadOnly != 0 }
func (j *joinPlan) writes() bool { return j.mode&engine.WriteOnly != 0 }

// sends lists the channels that the node's writer sends on.
func (n *nodePlan) sends() (channels []string) {
	for _, j := range n.joins {
		if j.writes() && j.channel != results {
			channels = append(channels, j.channel)
		}
	}
	return channels
}

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// small is a network's payload that some messages do not fit into.
const small = 24 << 10

// leastFaults is how many faults every seed plays at least.
const leastFaults = 20

func newPlan(r *rand.Rand) *plan {
	p := &plan{faults: leastFaults + r.IntN(5), payload: pick(r, 1<<20, small), backups: chance(r, 0.5), moving: chance(r, 0.25), purging: chance(r, 0.5), expiring: chance(r, 0.2), lossy: pick(r, 0, 0, 0.01, 0.05)}
	p.backups = p.backups && !p.moving // a disk that was put back does not know of later joins
	slow := chance(r, 0.3)
	ordering := pick(r, engine.OrderReceiver, engine.OrderReceiver, engine.OrderChannel)
	for i := range 3 + r.IntN(3) {
		n := &nodePlan{id: string(rune('a' + i)), config: config(r, p)}
		n.config.NodeID, n.config.Ordering = n.id, ordering
		n.ordered = ordering == engine.OrderReceiver
		if i > 0 && chance(r, 0.25) {
			n.startAt = 1 + r.IntN(p.faults/2)
		}
		if slow {
			n.sync = time.Duration(pick(r, 1, 10, 80, 500)) * time.Millisecond
		}
		if chance(r, 0.25) {
			n.late = time.Duration(r.IntN(60)) * time.Second
		}
		p.nodes = append(p.nodes, n)
	}
	for _, channel := range []string{"plain", "more"} {
		p.plain(r, channel)
	}
	p.pipeline(r)
	for _, n := range p.nodes {
		for i := range n.joins {
			n.joins[i].journal = n.joins[i].reads() && chance(r, 0.25)
		}
	}
	return p
}

func config(r *rand.Rand, p *plan) engine.Config {
	c := engine.Config{
		EnableCompression: chance(r, 0.5), MaxRetryAttempts: pick(r, 3, 10), MaxInFlight: pick(r, 1, 8, 4096), MaxBytesInFlight: pick(r, 16<<10, 8<<20),
		MaxMessagesPerReceiver: pick(r, 0, 0, 12), ParallelSenders: pick(r, 1, 1, 2),
		StorageMaxSize: 8 << 20, // hardly ever reached, but it makes checkpoints frequent
	}
	if !p.backups && chance(r, 0.2) {
		c.DeliveredMessageRetention, c.MessageCleanupInterval = 5*time.Minute, time.Minute
	}
	return c
}

// plain gives a channel writers and readers, at least one of each.
func (p *plan) plain(r *rand.Rand, channel string) {
	for {
		joins := map[*nodePlan]joinPlan{}
		for _, n := range p.nodes {
			switch j := (joinPlan{channel: channel}); r.IntN(6) {
			case 0:
			case 1:
				j.mode = engine.WriteOnly
				joins[n] = j
			case 2, 3:
				j.mode, j.effects = engine.ReadOnly, chance(r, 0.4)
				joins[n] = j
			case 4:
				j.mode, j.effects = engine.RW, chance(r, 0.4)
				joins[n] = j
			case 5:
				j.mode, j.own, j.effects = engine.RW, true, chance(r, 0.4)
				joins[n] = j
			}
		}
		if flows(joins) {
			for _, n := range p.nodes {
				if j, ok := joins[n]; ok {
					n.joins = append(n.joins, j)
				}
			}
			return
		}
	}
}

// flows tells whether every writer has a reader, and there is a writer.
func flows(joins map[*nodePlan]joinPlan) bool {
	writers := 0
	for w, j := range joins {
		if !j.writes() {
			continue
		}
		writers++
		read := j.own
		for reader, k := range joins {
			read = read || reader != w && k.reads()
		}
		if !read {
			return false
		}
	}
	return writers > 0
}

// pipeline makes one or two nodes handle the work channel and emit on the results channel, which somebody reads.
func (p *plan) pipeline(r *rand.Rand) {
	nodes := slices.Clone(p.nodes)
	r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	workers := nodes[:1+r.IntN(len(nodes)-1)]
	for i, n := range nodes {
		in, out := joinPlan{channel: work}, joinPlan{channel: results}
		if i < len(workers) {
			in.mode, in.effects, in.emitTo = engine.ReadOnly, true, results
			out.mode = engine.WriteOnly
			if len(nodes) > 2 && chance(r, 0.3) { // a worker that feeds itself
				in.mode, in.own = engine.RW, true
			}
		} else {
			in.mode = engine.WriteOnly
			out.mode, out.effects = engine.ReadOnly, chance(r, 0.5)
		}
		n.joins = append(n.joins, in, out)
	}
}

// readings lists who reads what, for the checker.
func (p *plan) readings() (list []Reading) {
	for _, n := range p.nodes {
		for _, j := range n.joins {
			if j.reads() {
				list = append(list, Reading{Node: n.id, Channel: j.channel, Effects: j.effects, EmitTo: j.emitTo, Parallel: n.config.ParallelSenders})
			}
		}
	}
	return list
}
