package kill

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/test/internal/node"
)

// healed waits until everything that was confirmed is accepted and nothing is pending any more, and returns what there is to see.
func healed(t *testing.T, work string, nodes map[string]*node.Node, all map[string]*sent) (*outcome, error) {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), healing)
	defer cancel()
	o := &outcome{sent: all, restarts: nodes["hub"].Starts() - 1}
	for !o.rests(ctx, nodes) {
		for _, n := range nodes {
			if err := n.Fault(); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("not healed after %s: %s", healing, o)
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Logf("healed after %s", time.Since(begun).Round(time.Millisecond))
	var err error
	if o.keys, err = nodes["hub"].Counters(ctx, "count"); err != nil {
		return nil, err
	}
	if o.records, err = readRecords(filepath.Join(work, "seen.jsonl")); err != nil {
		return nil, err
	}
	return o, nil
}

// rests says whether nothing is on its way any more.
func (o *outcome) rests(ctx context.Context, nodes map[string]*node.Node) bool {
	var errEdge, errHub error
	o.edge, errEdge = nodes["edge"].Status(ctx)
	o.hub, errHub = nodes["hub"].Status(ctx)
	if errEdge != nil || errHub != nil {
		return false
	}
	for sender, status := range map[string]*admin.Status{"edge": o.edge, "hub": o.hub} {
		want := int64(0)
		for file, s := range o.sent {
			if senderOf(file) == sender {
				want += int64(confirmed(file, s))
			}
		}
		if a, _ := node.Account(status, "lines", "hub"); a.Accepted < want || a.Pending > 0 {
			return false
		}
	}
	a, _ := node.Account(o.hub, "alerts", "hub")
	return a.Pending == 0
}

func (o *outcome) String() string {
	text := ""
	for _, s := range []*admin.Status{o.edge, o.hub} {
		if s == nil {
			text += "a router does not answer; "
			continue
		}
		text += fmt.Sprintf("%s, connected %v: %+v; ", s.Node, s.NATS.Connected, s.Accounts)
	}
	return text
}

func readRecords(path string) ([]record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var records []record
	for lines := bufio.NewScanner(file); ; {
		if !lines.Scan() {
			return records, lines.Err()
		}
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, len(records)+1, err)
		}
		records = append(records, r)
	}
}

// integrity lets SQLite look through a whole database.
func integrity(path string) error {
	db, err := sqlite3.OpenFlags("file:"+path, sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer db.Close()
	rows, _, err := db.Prepare("PRAGMA integrity_check")
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	defer rows.Close()
	for rows.Step() {
		if text := rows.ColumnText(0); text != "ok" {
			return fmt.Errorf("check %s: %s", path, text)
		}
	}
	return rows.Err()
}
