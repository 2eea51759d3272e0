package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	aggregateref "github.com/getevo/rmds-router/examples/plugins/aggregate/reference"
	redactref "github.com/getevo/rmds-router/examples/plugins/redact/reference"
	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/test/internal/node"
)

// expectation is what must have happened to the lines, recomputed without the router.
type expectation struct {
	read, dropped int64
	totals        aggregateref.Totals
}

// recompute reads the file that the edge followed and does to its lines what the two plugins do, with their Go references.
func recompute(path string) (*expectation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	want := &expectation{totals: aggregateref.Totals{Sender: edgeName}}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 2<<20)
	for lines.Scan() {
		want.apply(lines.Bytes())
	}
	return want, lines.Err()
}

func (e *expectation) apply(line []byte) {
	e.read++
	body, drop := redactref.Apply(line)
	if drop {
		e.dropped++
		return
	}
	e.totals.Apply(body)
}

// promise is one that was kept, or broken in the way that err says.
type promise struct {
	text string
	err  error
}

// promises holds the facts against the expectation.
func promises(f *facts, want *expectation) []promise {
	kept := want.read - want.dropped
	lines, _ := node.Account(f.edge, linesChannel, hubName)
	telemetry, _ := node.Account(f.edge, telemetryChannel, hubName)
	chain := "chain/" + edgeName
	_, chained := want.totals.Keys[chain]
	again, alerts := compareAlerts(f.alerts, want.totals.Alerts)
	alerts = errors.Join(alerts, alertAccount(f, want), atMost(again, f.kills))
	repeated := "none twice"
	if again > 0 {
		repeated = fmt.Sprintf("%d of them again after a kill: a file is at-least-once", again)
	}
	return []promise{
		{fmt.Sprintf("killed: the hub %d times, the edge with its NATS once, each with at least %d messages unacknowledged", hubKills, minUnacked), checkKills(f.kills)},
		{"every message accounted for: nothing pending, dead, expired, or lost from the books", balance(f)},
		{fmt.Sprintf("nothing lost, nothing twice: %d lines read, %d dropped by the filter, %d handled", want.read, want.dropped, lines.Handled), same("lines accepted", lines.Accepted, kept, "lines handled", lines.Handled, kept, "counted by the plugin", f.lines["messages"], kept)},
		{"order kept: the checksum over all lines, in the order in which they were handled, is that of the file", same(chain, f.lines[chain], want.totals.Keys[chain], "recomputed", chained, true)},
		{fmt.Sprintf("effects exactly once: all %d counts, sums and averages equal those recomputed from the file", len(want.totals.Keys)), compareKeys(f.lines, want.totals.Keys)},
		{fmt.Sprintf("alerts: all %d are in the file, in order, %s", len(want.totals.Alerts), repeated), alerts},
		{fmt.Sprintf("telemetry: %d samples accepted, %d counted, averages true", telemetry.Accepted, f.telemetry["messages"]), checkTelemetry(f.telemetry, telemetry)},
	}
}

func checkKills(kills []kill) error {
	count := map[string]int{}
	for _, k := range kills {
		count[k.node]++
		if k.unacked < minUnacked {
			return fmt.Errorf("the %s was killed with only %d messages unacknowledged", k.node, k.unacked)
		}
	}
	if count[hubName] != hubKills || count[edgeName] != 1 {
		return fmt.Errorf("killed %v", count)
	}
	return nil
}

// balance checks the identity of every account, and that no message ended other than handled.
func balance(f *facts) error {
	var errs []error
	for _, a := range slices.Concat(f.edge.Accounts, f.hub.Accounts) {
		switch {
		case !a.Balanced():
			errs = append(errs, fmt.Errorf("channel %s, reader %s: the parts do not add up to %d", a.Channel, a.Reader, a.Accepted))
		case a.Handled != a.Accepted:
			errs = append(errs, fmt.Errorf("channel %s, reader %s: %d accepted, %d handled", a.Channel, a.Reader, a.Accepted, a.Handled))
		}
	}
	for _, want := range []struct {
		status          *admin.Status
		channel, reader string
	}{{f.edge, linesChannel, hubName}, {f.edge, telemetryChannel, hubName}, {f.hub, alertsChannel, hubName}} {
		if a, ok := node.Account(want.status, want.channel, want.reader); !ok || a.Accepted == 0 {
			errs = append(errs, fmt.Errorf("channel %s has no account for reader %s", want.channel, want.reader))
		}
	}
	return errors.Join(errs...)
}

// same takes names with two numbers each.
func same(pairs ...any) error {
	var errs []error
	for i := 0; i < len(pairs); i += 3 {
		if pairs[i+1] != pairs[i+2] {
			errs = append(errs, fmt.Errorf("%v: %v, want %v", pairs[i], pairs[i+1], pairs[i+2]))
		}
	}
	return errors.Join(errs...)
}

func compareKeys(got, want map[string]int64) error {
	var wrong []string
	for key := range want {
		if n, ok := got[key]; !ok || n != want[key] {
			wrong = append(wrong, fmt.Sprintf("%s is %d, want %d", key, n, want[key]))
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			wrong = append(wrong, key+" should not be there")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("%d keys differ: %s", len(wrong), strings.Join(wrong[:min(3, len(wrong))], "; "))
}

// compareAlerts requires every alert in order. After a crash the output may write again what it had written just before, in
// order; again is how many lines that were.
func compareAlerts(got, want []string) (again int, err error) {
	place := make(map[string]int, len(want))
	for i, alert := range want {
		place[alert] = i
	}
	next, expected := 0, 0 // the first alert that was not seen yet, and the one that has to come
	for number, line := range got {
		at, ok := place[line]
		switch {
		case !ok:
			return again, fmt.Errorf("line %d of the file is no expected alert: %s", number+1, line)
		case at == expected:
		case at < next && expected == next: // a repetition begins
		default:
			return again, fmt.Errorf("line %d of the file is alert %d, want %d", number+1, at+1, expected+1)
		}
		if at < next {
			again++
		}
		expected = at + 1
		next = max(next, expected)
	}
	if next != len(want) || expected != next {
		return again, fmt.Errorf("the file ends at alert %d of %d", expected, len(want))
	}
	return again, nil
}

// atMost allows the file to repeat alerts only if the hub was killed.
func atMost(again int, kills []kill) error {
	if again > 0 && !slices.ContainsFunc(kills, func(k kill) bool { return k.node == hubName }) {
		return fmt.Errorf("%d alerts were written twice although the hub was not killed", again)
	}
	return nil
}

// alertAccount requires that every alert was emitted once.
func alertAccount(f *facts, want *expectation) error {
	a, _ := node.Account(f.hub, alertsChannel, hubName)
	return same("alerts emitted", a.Accepted, int64(len(want.totals.Alerts)))
}

// checkTelemetry cannot recompute the samples, but their number, and the averages from their sums.
func checkTelemetry(keys map[string]int64, account admin.Account) error {
	errs := []error{same("samples counted", keys["messages"], account.Accepted)}
	fields := 0
	for _, key := range slices.SortedFunc(maps.Keys(keys), cmp.Compare) {
		name, ok := strings.CutPrefix(key, "telemetry/")
		if !ok {
			continue
		}
		fields++
		errs = append(errs, same(key, keys[key], account.Accepted, "average of "+name, keys["telemetry_avg/"+name], keys["telemetry_sum/"+name]/max(1, keys[key])))
	}
	if fields != 5 {
		errs = append(errs, fmt.Errorf("%d fields were averaged, want 5", fields))
	}
	return errors.Join(errs...)
}
