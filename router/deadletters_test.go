package router

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/admin"
)

func listed(t *testing.T, r *Router, f admin.DeadLetterFilter) (ids []string) {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	letters, err := r.DeadLetters(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	return ids
}

// What a redriven message does through stateful plugins is done once, in the order of their calls, beside traffic and another redrive of it.
func TestRedriveThroughPlugins(t *testing.T) {
	f := newFolder(t)
	r := f.start(tallies + "  - {name: in, own: true, inbound: [a, b], consumer: none}\n")
	send(t, r, "in", "00", "03 one", "03 two", "03 three")
	account(t, r, "in", 4)
	tally(t, r, 1, 1, 2)
	for _, id := range []string{"1", "2", "3"} {
		if err := r.Redrive(t.Context(), id); !errors.Is(err, engine.ErrStillDead) || !strings.Contains(err.Error(), "plugin b: ") {
			t.Errorf("redrive of %s in vain: %v", id, err)
		}
	}
	tally(t, r, 1, 1, 2)
	closeRouter(t, r)

	r = f.start(tallies + "  - {name: in, own: true, inbound: [a], consumer: none}\n")
	var done sync.WaitGroup
	var handled atomic.Int64
	for range 2 {
		done.Go(func() {
			for _, id := range []string{"1", "2", "3"} {
				switch err := r.Redrive(context.Background(), id); {
				case err == nil:
					handled.Add(1)
				case !errors.Is(err, admin.ErrNoDeadLetter) && !errors.Is(err, engine.ErrDeadLetterBusy):
					t.Error(err)
				}
			}
		})
	}
	done.Go(func() {
		for range 20 {
			if err := trySend(t, r, "in", "00"); err != nil {
				t.Error(err)
			}
		}
	})
	done.Wait()
	if a := account(t, r, "in", 24); a.Handled != 24 || a.Dead != 0 || handled.Load() != 3 {
		t.Errorf("%+v, %d redriven", a, handled.Load())
	}
	tally(t, r, 24, 1, 25)
}

func TestRejectedInputMessagesAreDeadLetters(t *testing.T) {
	f := newFolder(t)
	if err := os.WriteFile(f.file("in.log"), []byte("03 one\n00\n03 two\n03 three\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const rest = "inputs: [{name: i, type: file, path: DIR/in.log, channel: out}]\n"
	r := f.start(tallies + "  - {name: in, own: true, inbound: [b], consumer: none}\n  - {name: out, mode: write, outbound: [a, b]}\n" + rest)
	send(t, r, "in", "3 received")
	account(t, r, "in", 1)
	var ids []string
	eventually(t, func() (bool, string) {
		ids = listed(t, r, admin.DeadLetterFilter{})
		return len(ids) == 4, fmt.Sprint(ids)
	})
	if ids[0] != "1" || !strings.HasPrefix(ids[1], "i:") {
		t.Errorf("ids %v", ids)
	}
	for want, q := range map[string]admin.DeadLetterFilter{
		fmt.Sprint(ids[:2]): {Limit: 2}, fmt.Sprint(ids[2:]): {After: ids[1]}, fmt.Sprint(ids[1:]): {Input: "i"}, fmt.Sprint(ids[:1]): {Sender: r.NodeID()}, fmt.Sprint(ids[2:3]): {Channel: "out", After: ids[1], Limit: 1}, "[]": {Input: "j"},
		fmt.Sprint(ids[1:2]): {After: ids[0], Limit: 1},
	} {
		if got := fmt.Sprint(listed(t, r, q)); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	mark, err := r.DeadLetterMark()
	if err != nil || len(listed(t, r, admin.DeadLetterFilter{Through: mark})) != 4 || listed(t, r, admin.DeadLetterFilter{Through: "0:1"}) != nil {
		t.Errorf("through %s: %v", mark, err)
	}
	l, err := r.DeadLetter(ids[1])
	if err != nil || l.Input != "i" || l.Channel != "out" || l.Attempts != 1 || l.Message == nil || l.Message.Data != "03 one" || !strings.HasPrefix(l.Reason, "plugin b: ") {
		t.Errorf("%+v, %v", l, err)
	}
	if err := r.Redrive(t.Context(), ids[1]); !errors.Is(err, engine.ErrStillDead) {
		t.Errorf("in vain: %v", err)
	}
	if l, err := r.DeadLetter(ids[1]); err != nil || l.Attempts != 2 {
		t.Errorf("%+v, %v", l, err)
	}
	if err := errors.Join(r.DropDeadLetter(ids[3]), r.DropDeadLetter("1")); err != nil {
		t.Error(err)
	}
	for _, id := range []string{ids[3], "1", "i:00", "i:zz", "nobody:000000000000000000000000", "", "-1", "x"} {
		for _, err := range []error{r.DropDeadLetter(id), r.Redrive(t.Context(), id)} {
			if !errors.Is(err, admin.ErrNoDeadLetter) {
				t.Errorf("%q, which is not there: %v", id, err)
			}
		}
	}
	tally(t, r, 1, 1, 2)
	closeRouter(t, r)

	// The filter that was in the way is gone.
	r = f.start(tallies + "  - {name: out, mode: write, outbound: [a]}\n" + rest)
	if got := listed(t, r, admin.DeadLetterFilter{}); fmt.Sprint(got) != fmt.Sprint(ids[1:3]) {
		t.Errorf("left: %v, want %v", got, ids[1:3])
	}
	for _, id := range ids[1:3] {
		if err := r.Redrive(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if got := listed(t, r, admin.DeadLetterFilter{}); got != nil {
		t.Errorf("left: %v", got)
	}
	tally(t, r, 3, 1, 4)
	queue, err := r.Pending("out", "", 0, 10)
	if err != nil || len(queue) != 3 || queue[0].Data != "00" || queue[1].Data != "03 one" || queue[2].Data != "03 two" {
		t.Errorf("sent: %+v, %v", queue, err)
	}
}
