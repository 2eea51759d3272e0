package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/getevo/rmds-router/router/admin"
)

// Report is the ledger of a run.
type Report struct {
	Seed uint64 `json:"seed"`
	// Dir holds the databases, logs and files, if they were kept.
	Dir string `json:"dir,omitempty"`
	// Hurt is how long faults went on, Healing how long it took after them until nothing was pending any more.
	Hurt    time.Duration `json:"hurt_ns"`
	Healing time.Duration `json:"healing_ns"`
	// Drained says that nothing was pending at the end. It is false when the run was ended before that.
	Drained bool   `json:"drained"`
	Faults  Faults `json:"faults"`
	Sent    Sent   `json:"sent"`
	// Accounts are those of every process, as it tells them itself.
	Accounts []Account `json:"accounts"`
	Seen     []Seen    `json:"seen"`
	// Broken says in words what promises were broken; none if it is empty.
	Broken []string `json:"broken,omitempty"`
}

// Sent counts the messages that were given to the writer.
type Sent struct {
	Confirmed int `json:"confirmed"`
	// Unknown are those whose answer a fault swallowed: they may have been accepted or not, but not twice.
	Unknown int `json:"unknown"`
	// Refused are those that the writer refused because its storage was full.
	Refused int `json:"refused"`
}

// Account is one process's account of a reader.
type Account struct {
	Node string `json:"node"`
	admin.Account
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nfaults\t%s\n", r.faults())
	fmt.Fprintf(t, "sent\t%d confirmed, %d whose answer a fault swallowed, %d refused because the storage was full\n", r.Sent.Confirmed, r.Sent.Unknown, r.Sent.Refused)
	if r.Drained {
		fmt.Fprintf(t, "healed\tnothing was pending any more %s after the last fault\n", r.Healing.Round(time.Millisecond))
	} else {
		fmt.Fprint(t, "healed\tnot yet: what is still pending was not checked for losses\n")
	}
	fmt.Fprint(t, "\nNODE\tCHANNEL\tREADER\tACCEPTED\tHANDLED\tDEAD\tEXPIRED\tPURGED\tOVERFLOW\tREMOVED\tCORRUPT\tPRUNED\tPENDING\tBALANCE\n")
	for _, a := range r.Accounts {
		balance := "ok"
		if !a.Balanced() {
			balance = "WRONG"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", a.Node, a.Channel, a.Reader, a.Accepted, a.Handled, a.Dead, a.Expired, a.Purged, a.Overflow, a.Removed, a.Corrupt, a.Pruned, a.Pending, balance)
	}
	fmt.Fprint(t, "\nREADER\tEFFECTS OF\tEFFECTS\tWRITTEN AGAIN AFTER A KILL\tORDER VIOLATIONS\tDUPLICATES OF EFFECTS\tLOST\tINVENTED\n")
	for _, s := range r.Seen {
		lost := fmt.Sprint(s.Lost)
		if !r.Drained {
			lost = "?"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%d\n", s.Reader, s.Of, s.Effects, s.Again, s.OutOfOrder, s.Twice, lost, s.Invented)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return r.conclude(w)
}

func (r *Report) conclude(w io.Writer) (err error) {
	fmt.Fprintln(w)
	for _, b := range r.Broken {
		fmt.Fprintf(w, "BROKEN: %s\n", strings.ReplaceAll(b, "\n", "\n        "))
	}
	switch {
	case len(r.Broken) > 0:
		_, err = fmt.Fprintf(w, "Logs, databases and files are kept in %s; --seed %d repeats the decisions.\n", r.Dir, r.Seed)
	case r.Drained:
		_, err = fmt.Fprintf(w, "Every promise was kept: nothing lost, in order, effects exactly once, accounts balanced (seed %d).\n", r.Seed)
	default:
		_, err = fmt.Fprintf(w, "No promise was broken so far (seed %d).\n", r.Seed)
	}
	return err
}

func (r *Report) faults() string {
	var kills []string
	for _, name := range slices.Sorted(maps.Keys(r.Faults.Kills)) {
		kills = append(kills, fmt.Sprintf("%s %d", name, r.Faults.Kills[name]))
	}
	text := fmt.Sprintf("%d times kill -9", r.Faults.kills())
	if len(kills) > 0 {
		text += " (" + strings.Join(kills, ", ") + ")"
	}
	return text + fmt.Sprintf(", %d outages of NATS (%s in all), %d pauses, %d full storages, in %s",
		r.Faults.Outages, r.Faults.NATSDown.Round(100*time.Millisecond), r.Faults.Pauses, r.Faults.FullStorages, r.Hurt.Round(100*time.Millisecond))
}
