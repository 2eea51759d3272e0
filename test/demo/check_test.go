package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/router/admin"
)

// kept returns an expectation and facts that fulfil it.
func kept() (*facts, *expectation) {
	want := &expectation{}
	want.totals.Sender = edgeName
	for i := range 40 {
		text := strings.Repeat("x", 100+i)
		if i%10 == 0 {
			text = ""
		}
		want.apply([]byte(fmt.Sprintf(`{"file":"a/b.go","line":%d,"text":"%s"}`, i, text)))
	}
	account := func(channel string, n int64) admin.Account {
		return admin.Account{Channel: channel, Reader: hubName, Accepted: n, Handled: n}
	}
	lines := want.read - want.dropped
	f := &facts{
		edge:      &admin.Status{Accounts: []admin.Account{account(linesChannel, lines), account(telemetryChannel, 7)}},
		hub:       &admin.Status{Accounts: []admin.Account{account(alertsChannel, int64(len(want.totals.Alerts)))}},
		lines:     maps.Clone(want.totals.Keys),
		telemetry: map[string]int64{"messages": 7},
		alerts:    slices.Clone(want.totals.Alerts),
		kills:     []kill{{node: hubName, unacked: 1000}, {node: edgeName, unacked: 5000}, {node: hubName, unacked: 1001}, {node: hubName, unacked: 2000}},
	}
	for i, field := range []string{"cpu_milli", "mem_used_kib", "disk_used_kib", "net_rx_bytes", "net_tx_bytes"} {
		f.telemetry["telemetry/"+field], f.telemetry["telemetry_sum/"+field], f.telemetry["telemetry_avg/"+field] = 7, int64(70*i+3), int64(10*i)
	}
	return f, want
}

func TestKeptPromises(t *testing.T) {
	f, want := kept()
	if want.dropped != 4 || len(want.totals.Alerts) < 10 {
		t.Fatalf("%d dropped, %d alerts", want.dropped, len(want.totals.Alerts))
	}
	if broken := brokenOf(f, want); broken != nil {
		t.Errorf("broken: %q", broken)
	}
}

func brokenOf(f *facts, want *expectation) []string {
	var broken []string
	for _, p := range promises(f, want) {
		if p.err != nil {
			broken = append(broken, p.text)
		}
	}
	return broken
}

// TestBrokenPromises breaks one thing at a time and requires that the promise that it belongs to is reported.
func TestBrokenPromises(t *testing.T) {
	for name, c := range map[string]struct {
		plant  func(f *facts)
		broken string // how the promise begins
	}{
		"killed too seldom":        {func(f *facts) { f.kills = f.kills[1:] }, "killed"},
		"killed too early":         {func(f *facts) { f.kills[1].unacked = 999 }, "killed"},
		"an account not balanced":  {func(f *facts) { f.edge.Accounts[0].Handled-- }, "every message"},
		"a message pending":        {func(f *facts) { f.edge.Accounts[1].Handled--; f.edge.Accounts[1].Pending++ }, "every message"},
		"a dead letter":            {func(f *facts) { f.hub.Accounts[0].Handled--; f.hub.Accounts[0].Dead++ }, "every message"},
		"an account missing":       {func(f *facts) { f.hub.Accounts = nil }, "every message"},
		"a line lost by the input": {func(f *facts) { f.edge.Accounts[0].Handled--; f.edge.Accounts[0].Accepted-- }, "nothing lost"},
		"a line counted twice":     {func(f *facts) { f.lines["messages"]++ }, "nothing lost"},
		"lines swapped":            {func(f *facts) { f.lines["chain/edge"]++ }, "order"},
		"no checksum":              {func(f *facts) { delete(f.lines, "chain/edge") }, "order"},
		"an average":               {func(f *facts) { f.lines["lines_avg/a"]-- }, "effects"},
		"a key lost":               {func(f *facts) { delete(f.lines, "lines_sum/a") }, "effects"},
		"a key too many":           {func(f *facts) { f.lines["lines/z"] = 0 }, "effects"},
		"an alert lost":            {func(f *facts) { f.alerts = slices.Delete(f.alerts, 3, 4) }, "alerts"},
		"the last alert lost":      {func(f *facts) { f.alerts = f.alerts[:len(f.alerts)-1] }, "alerts"},
		"alerts swapped":           {func(f *facts) { f.alerts[2], f.alerts[3] = f.alerts[3], f.alerts[2] }, "alerts"},
		"an alert that none is":    {func(f *facts) { f.alerts = append(f.alerts, "{}") }, "alerts"},
		"an alert emitted twice":   {func(f *facts) { f.hub.Accounts[0].Accepted++; f.hub.Accounts[0].Handled++ }, "alerts"},
		"a repetition with a gap":  {func(f *facts) { f.alerts = slices.Insert(f.alerts, 6, f.alerts[2], f.alerts[4], f.alerts[5]) }, "alerts"},
		"a repetition cut short":   {func(f *facts) { f.alerts = slices.Insert(f.alerts, 6, f.alerts[2], f.alerts[3]) }, "alerts"},
		"repeated without a kill":  {func(f *facts) { f.alerts = slices.Insert(f.alerts, 6, f.alerts[5]); f.kills = f.kills[1:2] }, "alerts"},
		"a sample lost":            {func(f *facts) { f.telemetry["messages"]-- }, "telemetry"},
		"a field's count":          {func(f *facts) { f.telemetry["telemetry/cpu_milli"]-- }, "telemetry"},
		"a field's average":        {func(f *facts) { f.telemetry["telemetry_avg/net_rx_bytes"]++ }, "telemetry"},
		"a field missing":          {func(f *facts) { delete(f.telemetry, "telemetry/net_tx_bytes") }, "telemetry"},
	} {
		f, want := kept()
		c.plant(f)
		if !slices.ContainsFunc(brokenOf(f, want), func(text string) bool { return strings.HasPrefix(text, c.broken) }) {
			t.Errorf("%s: the promise %q counts as kept; broken are %q", name, c.broken, brokenOf(f, want))
		}
	}
}

func TestChainTellsOrder(t *testing.T) {
	a, b := []byte(`{"file":"a","line":1,"text":"one"}`), []byte(`{"file":"a","line":2,"text":"two"}`)
	sums := map[int64]bool{}
	for _, order := range [][][]byte{{a, b}, {b, a}, {a, a, b}, {a}} {
		_, want := &facts{}, &expectation{}
		want.totals.Sender = edgeName
		for _, line := range order {
			want.apply(line)
		}
		sums[want.totals.Keys["chain/edge"]] = true
	}
	if len(sums) != 4 || sums[0] {
		t.Errorf("checksums %v, want four", sums)
	}
}

func TestRepeatedSuffixIsTolerated(t *testing.T) {
	f, want := kept()
	f.alerts = slices.Insert(f.alerts, 6, f.alerts[3:6]...)
	if broken := brokenOf(f, want); broken != nil {
		t.Errorf("broken: %q", broken)
	}
	if again, err := compareAlerts(f.alerts, want.totals.Alerts); again != 3 || err != nil {
		t.Errorf("%d again, %v", again, err)
	}
}

func TestPlan(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(50) {
		points := plan(rand.New(rand.NewPCG(seed, seed)), 100_000)
		count, order, last := map[string]int{}, "", int64(0)
		for _, p := range points {
			count[p.node]++
			order += p.node + " "
			if p.handled <= last || p.handled > 75_000 {
				t.Errorf("seed %d: point at %d after %d", seed, p.handled, last)
			}
			last = p.handled
		}
		if count[hubName] != 3 || count[edgeName] != 1 {
			t.Errorf("seed %d: %v", seed, count)
		}
		orders[order] = true
	}
	if len(orders) != 4 {
		t.Errorf("the edge's place among the kills is always one of %d", len(orders))
	}
}

func TestReportFailsOnBrokenPromise(t *testing.T) {
	f, want := kept()
	var out strings.Builder
	if err := report(&out, f, want, time.Second, time.Second); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	f.lines["messages"]++
	if err := report(&out, f, want, time.Second, time.Second); err == nil || !strings.Contains(out.String(), "✗ nothing lost") {
		t.Errorf("%v\n%s", err, &out)
	}
}
