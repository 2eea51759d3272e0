package bench

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// fixed is a subject that reports the rates it is given, one after the other.
type fixed struct {
	name  string
	rates *[]int
}

func (f fixed) Name() string { return f.name }

func (f fixed) Run(context.Context, Case) (Result, error) {
	rate := (*f.rates)[0]
	*f.rates = (*f.rates)[1:]
	return Result{Messages: rate * 2, Elapsed: 2 * time.Second, CPU: time.Duration(rate) * 3 * time.Microsecond}, nil
}

func fixedReport(t *testing.T) *Report {
	t.Helper()
	plan := Plan{
		Subjects: []Subject{fixed{"ours", &[]int{1000, 9_000_000, 1_234_567}}, fixed{"theirs", &[]int{400_000, 1, 500_000}}},
		Cases:    []Case{{Size: 1024, Receivers: 3, Mode: Blocking64}},
		Runs:     3,
	}
	report, err := plan.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestReportTable(t *testing.T) {
	var out strings.Builder
	if err := fixedReport(t).WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	got := strings.Join(strings.Fields(lines[len(lines)-1]), " ")
	if want := "1 KiB 3 blocking64 1,234,567 1.50 400,000 1.50 3.09"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.Contains(out.String(), "median of 3") || !strings.Contains(out.String(), "theirs") {
		t.Errorf("the head is missing something:\n%s", out.String())
	}
}

func TestReportJSON(t *testing.T) {
	var out strings.Builder
	if err := fixedReport(t).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 1 || got.Runs != 3 || len(got.Rows[0].Figures) != 2 {
		t.Fatalf("got %s", out.String())
	}
	ours, theirs := got.Rows[0].Figures[0], got.Rows[0].Figures[1]
	if ours.Ratio != nil || ours.PerSecond != 1_234_567 || theirs.Ratio == nil || *theirs.Ratio < 3.08 || *theirs.Ratio > 3.09 {
		t.Errorf("got %s", out.String())
	}
}
