package kill

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	aggregateref "github.com/getevo/rmds-router/examples/plugins/aggregate/reference"
	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/test/internal/node"
)

// record is a line that the hub's output wrote: an alert, which the handler emitted for one message.
type record struct {
	ID   string `json:"id"`
	Seq  uint64 `json:"seq"`
	Data string `json:"data"`
}

// outcome is what can be seen of the system after it has healed.
type outcome struct {
	sent      map[string]*sent
	records   []record
	keys      map[string]int64
	edge, hub *admin.Status
	restarts  int // of the hub, whose output wrote the records
}

// verify returns everything that is wrong.
func (o *outcome) verify() error {
	once, err := distinct(o.records, o.restarts)
	handled, errHandled := messagesOf(once)
	if err := errors.Join(err, errHandled); err != nil {
		return err // the rest would only say so again
	}
	return errors.Join(o.delivered(handled), o.effects(once, handled), o.accounts(once, handled))
}

// distinct takes what the output repeated out again. After a crash it may write again what it had written last, in order, and
// that repetition may itself be cut by the next crash; so it begins anew at most once for each restart.
func distinct(records []record, restarts int) ([]record, error) {
	var once []record
	place := map[string]int{}
	expected, repetitions := 0, 0
	for number, r := range records {
		at, seen := place[r.ID]
		if !seen {
			at = len(once)
			place[r.ID] = at
			if at > 0 && r.Seq <= once[at-1].Seq {
				return once, fmt.Errorf("record %d has sequence %d after %d", number+1, r.Seq, once[at-1].Seq)
			}
			once = append(once, r)
		}
		if at > expected {
			return once, fmt.Errorf("record %d is alert %d, want %d: a repetition must be a suffix, in order", number+1, at+1, expected+1)
		}
		if at < expected {
			repetitions++
		}
		expected = at + 1
	}
	if expected != len(once) {
		return once, fmt.Errorf("the last repetition ends at alert %d of %d: it must be a suffix", expected, len(once))
	}
	if repetitions > restarts {
		return once, fmt.Errorf("%d repetitions after %d restarts", repetitions, restarts)
	}
	return once, nil
}

// messagesOf finds the messages behind the alerts, in the order in which they were handled.
func messagesOf(alerts []record) ([]message, error) {
	var messages []message
	seen := map[message]bool{}
	for _, r := range alerts {
		var alert struct {
			Alert string `json:"alert"`
			message
		}
		if err := json.Unmarshal([]byte(r.Data), &alert); err != nil {
			return nil, fmt.Errorf("alert %s: %w", r.Data, err)
		}
		if alert.Alert == "milestone" {
			continue
		}
		if seen[alert.message] {
			return nil, fmt.Errorf("%s line %d had its effects twice", alert.File, alert.Line)
		}
		seen[alert.message] = true
		messages = append(messages, alert.message)
	}
	return messages, nil
}

// delivered requires that nothing confirmed is lost, that nothing was made up, and that each place's messages came in order.
func (o *outcome) delivered(handled []message) error {
	var errs []error
	last, count := map[string]int{}, map[string]int{}
	for _, m := range handled {
		s := o.sent[m.File]
		switch {
		case s == nil || m.Line < 1 || m.Line > s.lines || blank(m.File, m.Line):
			errs = append(errs, fmt.Errorf("%s line %d was never sent, or dropped", m.File, m.Line))
		case m.Line <= last[m.File]:
			errs = append(errs, fmt.Errorf("%s line %d was handled after %d", m.File, m.Line, last[m.File]))
		case s.ok[m.Line]:
			count[m.File]++
		}
		last[m.File] = m.Line
	}
	for file, s := range o.sent {
		if want := confirmed(file, s); count[file] != want {
			errs = append(errs, fmt.Errorf("%s: %d messages were confirmed, %d of them handled", file, want, count[file]))
		}
	}
	return firstOf(errs)
}

// confirmed is how many of a place's messages have to be handled.
func confirmed(file string, s *sent) int {
	n := 0
	for line := range s.ok {
		if !blank(file, line) {
			n++
		}
	}
	return n
}

// effects recomputes the handler's keys and alerts from the messages, in the order in which they were handled.
func (o *outcome) effects(alerts []record, handled []message) error {
	totals := aggregateref.Totals{LongLine: 1}
	for _, m := range handled {
		totals.Sender = senderOf(m.File)
		if !totals.Apply(arrived(m.File, m.Line)) {
			return fmt.Errorf("%s line %d is no message for the handler", m.File, m.Line)
		}
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(totals.Keys)) {
		if got, ok := o.keys[key]; !ok || got != totals.Keys[key] {
			errs = append(errs, fmt.Errorf("the key %s is %d, want %d", key, got, totals.Keys[key]))
		}
	}
	for key := range o.keys {
		if _, ok := totals.Keys[key]; !ok {
			errs = append(errs, fmt.Errorf("the key %s should not be there", key))
		}
	}
	if !slices.EqualFunc(alerts, totals.Alerts, func(r record, want string) bool { return r.Data == want }) {
		errs = append(errs, fmt.Errorf("the %d alerts are not the %d that the messages lead to", len(alerts), len(totals.Alerts)))
	}
	return firstOf(errs)
}

// accounts requires that every account balances, with every message handled, as often as the handler and the output saw one.
func (o *outcome) accounts(alerts []record, handled []message) error {
	bySender := map[string]int64{}
	for _, m := range handled {
		bySender[senderOf(m.File)]++
	}
	var errs []error
	for _, c := range []struct {
		status  *admin.Status
		channel string
		want    int64
	}{
		{o.edge, "lines", bySender["edge"]}, {o.hub, "lines", bySender["hub"]}, {o.hub, "alerts", int64(len(alerts))},
	} {
		a, _ := node.Account(c.status, c.channel, "hub")
		if !a.Balanced() || a.Accepted != c.want || a.Handled != c.want {
			errs = append(errs, fmt.Errorf("the account of %s on %s is %+v, want %d accepted and handled", c.channel, c.status.Node, a, c.want))
		}
	}
	for _, a := range slices.Concat(o.edge.Accounts, o.hub.Accounts) {
		if !a.Balanced() {
			errs = append(errs, fmt.Errorf("the account %+v does not balance", a))
		}
	}
	return firstOf(errs)
}

// firstOf keeps a long list of errors readable.
func firstOf(errs []error) error {
	if len(errs) > 5 {
		errs = append(errs[:5:5], fmt.Errorf("and %d more", len(errs)-5))
	}
	return errors.Join(errs...)
}
