package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report holds the medians of a plan.
type Report struct {
	Runs int   `json:"runs"` // of each case by each subject
	Rows []Row `json:"cases"`
}

// Row is one case.
type Row struct {
	Size      int      `json:"message_bytes"`
	Receivers int      `json:"receivers"`
	Mode      Mode     `json:"mode"`
	Figures   []Figure `json:"subjects"` // in the plan's order
}

// Figure is what one subject did in one case: the median run by messages a second.
type Figure struct {
	Subject   string   `json:"subject"`
	PerSecond float64  `json:"messages_per_second"`
	CPU       float64  `json:"cpu_us_per_message"`            // of the whole process
	Ratio     *float64 `json:"first_subject_ratio,omitempty"` // the first subject's rate divided by this one's; none for itself
	runs      []Result
}

func newRow(c Case, subjects []Subject) Row {
	row := Row{Size: c.Size, Receivers: c.Receivers, Mode: c.Mode}
	for _, s := range subjects {
		row.Figures = append(row.Figures, Figure{Subject: s.Name()})
	}
	return row
}

func (r *Row) add(subject int, result Result) {
	r.Figures[subject].runs = append(r.Figures[subject].runs, result)
}

// finish turns the runs into figures.
func (r *Row) finish() {
	for i := range r.Figures {
		f := &r.Figures[i]
		m := median(f.runs)
		f.PerSecond, f.CPU = m.PerSecond(), m.CPUPerMessage()
		if i > 0 && f.PerSecond > 0 {
			ratio := r.Figures[0].PerSecond / f.PerSecond
			f.Ratio = &ratio
		}
	}
}

// median returns the middle run by rate, of an even number the slower of the two.
func median(runs []Result) Result {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b Result) int {
		switch d := a.PerSecond() - b.PerSecond(); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	return sorted[(len(sorted)-1)/2]
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// WriteTable writes the report for people: a line for each case.
func (r *Report) WriteTable(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Messages a second from end to end: accepted, delivered, handled in order, acknowledged, on record at the sender (median of %d).\n", r.Runs)
	fmt.Fprint(&text, "µs is processor time a message, of the whole process; × is how many times the first one's rate is of the other's.\n\n")
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(r.Rows) > 0 {
		fmt.Fprint(table, "message\treceivers\tmode\t")
		for _, f := range r.Rows[0].Figures {
			fmt.Fprintf(table, "%s\tµs\t", f.Subject)
			if f.Ratio != nil {
				fmt.Fprint(table, "×\t")
			}
		}
		fmt.Fprintln(table)
	}
	for _, row := range r.Rows {
		fmt.Fprintf(table, "%s\t%d\t%s\t", sizeName(row.Size), row.Receivers, row.Mode)
		for _, f := range row.Figures {
			fmt.Fprintf(table, "%s\t%.2f\t", thousands(f.PerSecond), f.CPU)
			if f.Ratio != nil {
				fmt.Fprintf(table, "%.2f\t", *f.Ratio)
			}
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// thousands writes a rate with its thousands apart, as in 1,234,567.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
