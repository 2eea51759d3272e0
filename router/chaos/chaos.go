package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

const (
	// healing bounds how long nothing may move, after the last fault, while something is still pending.
	healing = time.Minute
	// hurry bounds the healing of a run that was interrupted.
	hurry = 20 * time.Second
)

// Options say what a run does. All fields but Dir must be set.
type Options struct {
	// Binary is the router to run.
	Binary string
	// For is how long faults go on.
	For time.Duration
	// Seed decides about every fault.
	Seed uint64
	// Dir is a folder that is empty or not there; what is left in it stays. Empty: a temporary one, which is removed unless a promise was broken.
	Dir string
	// Note is told what happens, a line each.
	Note func(line string)
}

// Run hurts a network for a while, and returns the ledger. When ctx ends, faults end, and so does the run as soon as nothing is pending
// any more, or a little later; when abort ends too, at once. Nothing is left running. ErrBroken means that a promise was
// broken, and comes with the report; other errors mean that there is none.
func Run(ctx, abort context.Context, o Options) (*Report, error) {
	dir, err := folder(o.Dir)
	if err != nil {
		return nil, err
	}
	r := &run{Options: o, report: &Report{Seed: o.Seed, Dir: dir}, begun: time.Now()}
	if r.cluster, err = newCluster(o.Binary, dir); err != nil {
		return nil, fmt.Errorf("prepare the network: %w", err)
	}
	defer r.kill() //nolint:errcheck // a process that had ended by itself was reported while it mattered
	if err := r.start(abort); err != nil {
		return nil, fmt.Errorf("start the network: %w", err)
	}
	r.hurt(ctx)
	r.heal(ctx, abort)
	r.judge()
	if len(r.report.Broken) > 0 {
		return r.report, ErrBroken
	}
	if o.Dir == "" {
		err := errors.Join(r.kill(), os.RemoveAll(dir))
		r.report.Dir = ""
		return r.report, err
	}
	return r.report, nil
}

func folder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "rmds-chaos-")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%w: %s", ErrFolder, dir)
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// run is one run under way.
type run struct {
	Options
	*cluster
	load   *load
	report *Report
	begun  time.Time
}

func (r *run) broken(format string, args ...any) {
	r.report.Broken = append(r.report.Broken, fmt.Sprintf(format, args...))
}

func (r *run) note(format string, args ...any) {
	r.Note(fmt.Sprintf("%6.1f s  %d confirmed; %s", time.Since(r.begun).Seconds(), r.load.confirmed.Load(), fmt.Sprintf(format, args...)))
}

// hurt sends and does harm until the time is over.
func (r *run) hurt(ctx context.Context) {
	r.begun = time.Now()
	r.load = startLoad(r.writer().client)
	ctx, cancel := context.WithTimeout(ctx, r.For)
	defer cancel()
	m := &monkey{cluster: r.cluster, load: r.load, random: rand.New(rand.NewPCG(r.Seed, 0)), note: r.note, done: Faults{Kills: map[string]int{}}}
	if err := m.run(ctx); err != nil {
		r.broken("%v", err)
	}
	r.report.Faults, r.report.Hurt = m.done, time.Since(r.begun)
	r.note("no more faults")
	r.load.stop()
	for i := range r.load.streams {
		s := &r.load.streams[i]
		r.report.Sent.Confirmed += s.confirmed.count
		r.report.Sent.Refused += s.refused.count
		r.report.Sent.Unknown += s.sent - s.confirmed.count - s.refused.count
	}
}

// heal waits until nothing is pending any more.
func (r *run) heal(ctx, abort context.Context) {
	begun, moved, before := time.Now(), time.Now(), int64(-1)
	for {
		rests, handled := r.look(abort)
		if rests {
			r.report.Drained, r.report.Healing = true, time.Since(begun)
			return
		}
		if err := r.fault(); err != nil {
			r.broken("%v", err)
			return
		}
		if handled != before {
			before, moved = handled, time.Now()
		}
		if ctx.Err() != nil && time.Since(begun) > hurry || abort.Err() != nil {
			return
		}
		if time.Since(moved) > healing {
			r.broken("for %s nothing moved any more, and not everything is handled", healing)
			return
		}
		pause(abort, 100*time.Millisecond)
	}
}

// look asks everybody for their accounts. rests says that everything confirmed is accepted and nothing is pending.
func (r *run) look(ctx context.Context) (rests bool, handled int64) {
	rests = true
	var accounts []Account
	byReader := map[[2]string]int64{} // handled, by channel and reader, of every sender
	for _, n := range r.nodes {
		s, err := n.status(ctx)
		if err != nil {
			return false, 0
		}
		for _, a := range s.Accounts {
			accounts = append(accounts, Account{Node: s.Node, Account: a})
			byReader[[2]string{s.Node, a.Channel + "/" + a.Reader}] = a.Accepted
			rests = rests && a.Pending == 0
			handled += a.Handled
		}
	}
	r.report.Accounts = accounts
	for _, reader := range readerNames {
		rests = rests && byReader[[2]string{writerName, loadChannel + "/" + reader}] >= int64(r.report.Sent.Confirmed)
		for _, of := range readerNames {
			rests = rests && byReader[[2]string{of, effectsChannel + "/" + reader}] >= byReader[[2]string{writerName, loadChannel + "/" + of}]
		}
	}
	return rests, handled
}
