package kill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	aggregateref "github.com/getevo/rmds-router/examples/plugins/aggregate/reference"
	"github.com/getevo/rmds-router/router/admin"
)

// sound is an outcome without a fault: 30 lines of the file, and 20 messages of a client of the hub, of which every fourth was not confirmed.
func sound() *outcome {
	o := &outcome{restarts: 2, sent: map[string]*sent{fromFile: {lines: 30, ok: map[int]bool{}}, "hub-a/http": {lines: 20, ok: map[int]bool{}}}}
	totals := aggregateref.Totals{LongLine: 1}
	count := map[string]int64{}
	for line := 1; line <= 30; line++ {
		for _, file := range []string{fromFile, "hub-a/http"} {
			if line > o.sent[file].lines {
				continue
			}
			if file == fromFile || line%4 != 0 {
				o.sent[file].ok[line] = true
			}
			if blank(file, line) || (file != fromFile && line%8 == 0) {
				continue // dropped, or lost before it was confirmed
			}
			totals.Sender = senderOf(file)
			totals.Apply(arrived(file, line))
			count[totals.Sender]++
		}
	}
	o.keys = totals.Keys
	for i, alert := range totals.Alerts {
		o.records = append(o.records, record{ID: fmt.Sprint("id-", i), Seq: uint64(10 + 3*i), Data: alert})
	}
	account := func(channel string, n int64) admin.Account {
		return admin.Account{Channel: channel, Reader: "hub", Accepted: n, Handled: n}
	}
	o.edge = &admin.Status{Node: "edge", Accounts: []admin.Account{account("lines", count["edge"])}}
	o.hub = &admin.Status{Node: "hub", Accounts: []admin.Account{account("alerts", int64(len(o.records))), account("lines", count["hub"])}}
	return o
}

func TestSoundOutcome(t *testing.T) {
	o := sound()
	if err := o.verify(); err != nil || len(o.records) != 27+18 {
		t.Errorf("%d records: %v", len(o.records), err)
	}
	o.records = slices.Insert(o.records, 20, o.records[15:20]...)
	o.records = append(o.records, o.records[48:]...)
	if err := o.verify(); err != nil {
		t.Errorf("what an output may repeat after a crash: %v", err)
	}
}

// TestFaultsAreFound plants one fault at a time.
func TestFaultsAreFound(t *testing.T) {
	rename := func(r *record, line int) {
		r.Data = strings.Replace(r.Data, `"line":`, fmt.Sprintf(`"line":%d`, line), 1)
	}
	for name, c := range map[string]struct {
		plant func(o *outcome)
		want  string
	}{
		"a confirmed message lost":     {func(o *outcome) { o.sent["hub-a/http"].ok[8] = true }, "16 messages were confirmed"},
		"a message handled twice":      {func(o *outcome) { o.records = append(o.records, record{"again", 1e6, o.records[3].Data}) }, "effects twice"},
		"a message that nobody sent":   {func(o *outcome) { rename(&o.records[3], 9) }, "never sent"},
		"a blank line":                 {func(o *outcome) { o.records[44].Data = alertFor(t, fromFile, 30) }, "never sent"},
		"messages swapped":             {func(o *outcome) { a, b := &o.records[40], &o.records[44]; a.Data, b.Data = b.Data, a.Data }, "was handled after"},
		"sequences swapped":            {func(o *outcome) { o.records[3], o.records[4] = o.records[4], o.records[3] }, "has sequence"},
		"a repetition with a gap":      {func(o *outcome) { o.records = slices.Insert(o.records, 20, o.records[15], o.records[17]) }, "must be a suffix"},
		"a repetition that ends early": {func(o *outcome) { o.records = slices.Insert(o.records, 20, o.records[15], o.records[16]) }, "must be a suffix"},
		"a repetition at the end":      {func(o *outcome) { o.records = append(o.records, o.records[40:43]...) }, "must be a suffix"},
		"repeated without a restart":   {func(o *outcome) { o.records = append(o.records, o.records[40:]...); o.restarts = 0 }, "repetitions after 0 restarts"},
		"a counter":                    {func(o *outcome) { o.keys["messages"]++ }, "the key messages"},
		"a checksum":                   {func(o *outcome) { o.keys["chain/hub"]++ }, "the key chain/hub"},
		"a key lost":                   {func(o *outcome) { delete(o.keys, "lines/file") }, "the key lines/file"},
		"a key too many":               {func(o *outcome) { o.keys["lines/other"] = 1 }, "should not be there"},
		"an alert's text":              {func(o *outcome) { o.records[3].Data = strings.Replace(o.records[3].Data, `"length":`, `"length":1`, 1) }, "alerts are not"},
		"an account out of balance":    {func(o *outcome) { o.edge.Accounts[0].Handled-- }, "account of lines on edge"},
		"a message accepted twice":     {func(o *outcome) { o.hub.Accounts[1].Accepted++; o.hub.Accounts[1].Handled++ }, "account of lines on hub"},
		"an alert emitted twice":       {func(o *outcome) { o.hub.Accounts[0].Accepted++; o.hub.Accounts[0].Handled++ }, "account of alerts on hub"},
		"a dead letter":                {func(o *outcome) { o.edge.Accounts[0].Handled--; o.edge.Accounts[0].Dead++ }, "account of lines on edge"},
		"another reader's account":     {func(o *outcome) { o.edge.Accounts = append(o.edge.Accounts, admin.Account{Accepted: 1}) }, "does not balance"},
	} {
		o := sound()
		c.plant(o)
		if err := o.verify(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func alertFor(t *testing.T, file string, line int) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"alert": "long line", "file": file, "line": line, "length": 0})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDamageIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := sqlite3.OpenFlags("file:"+path, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Exec(`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t (b);
		WITH RECURSIVE n (v) AS (VALUES (1) UNION ALL SELECT v + 1 FROM n WHERE v < 3000) INSERT INTO t SELECT v, 'row ' || v FROM n`)
	if err := errors.Join(err, db.Close(), integrity(path)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("row 1234"), []byte("row 4321"), 1) // in the table or in the index, but not in both
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := integrity(path); err == nil {
		t.Error("a database whose index does not fit its table counts as sound")
	}
}
