// Package aggregateref says in Go what the aggregate plugin does, so that its work can be checked by recomputing it.
package aggregateref

import (
	"encoding/binary"
	"encoding/json"
	"strings"
)

const milestone = 10_000

// Totals are the counters and alerts that messages lead to. The zero value is before the first message.
type Totals struct {
	// LongLine is the length in bytes above which a line raises an alert; 0 means 120.
	LongLine int
	// Sender is the node whose messages are applied. Its running checksum shows whether any was lost, repeated or out of order.
	Sender string
	// Keys are the plugin's keys with their counters.
	Keys map[string]int64
	// Alerts are the bodies emitted, in order.
	Alerts []string
}

type message struct {
	File string  `json:"file"`
	Line int64   `json:"line"`
	Text *string `json:"text"`
}

var fields = []string{"cpu_milli", "mem_used_kib", "disk_used_kib", "net_rx_bytes", "net_tx_bytes"}

// Apply takes one message. false means that the plugin sends it to the dead letters and counts nothing.
func (t *Totals) Apply(body []byte) bool {
	if t.Keys == nil {
		t.Keys = make(map[string]int64)
	}
	var m message
	if json.Unmarshal(body, &m) != nil {
		return false
	}
	if m.Text != nil {
		t.line(m)
	} else if !t.sample(body) {
		return false
	}
	t.Keys["messages"]++
	if n := t.Keys["messages"]; n%milestone == 0 {
		t.alert(struct {
			Alert string `json:"alert"`
			Count int64  `json:"count"`
		}{"milestone", n})
	}
	t.chain(body)
	return true
}

// chain is FNV-1a of 64 bits over the sender's bodies, each followed by a line feed.
func (t *Totals) chain(body []byte) {
	key, sum := "chain/"+t.Sender, uint64(14695981039346656037)
	if before, ok := t.Keys[key]; ok {
		sum = uint64(before)
	}
	for _, b := range body {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	t.Keys[key] = int64((sum ^ '\n') * 1099511628211)
}

func (t *Totals) line(m message) {
	folder := m.File
	if at := strings.LastIndexByte(folder, '/'); at > 0 {
		folder = folder[:at]
	}
	length := len(*m.Text)
	t.accumulate("lines", folder, int64(length))
	limit := t.LongLine
	if limit == 0 {
		limit = 120
	}
	if length > limit {
		t.alert(struct {
			Alert  string `json:"alert"`
			File   string `json:"file"`
			Line   int64  `json:"line"`
			Length int    `json:"length"`
		}{"long line", m.File, m.Line, length})
	}
}

func (t *Totals) sample(body []byte) bool {
	var raw struct {
		CPU  *int64 `json:"cpu_milli"`
		Mem  *int64 `json:"mem_used_kib"`
		Disk *int64 `json:"disk_used_kib"`
		RX   *int64 `json:"net_rx_bytes"`
		TX   *int64 `json:"net_tx_bytes"`
	}
	if json.Unmarshal(body, &raw) != nil {
		return false
	}
	for i, value := range []*int64{raw.CPU, raw.Mem, raw.Disk, raw.RX, raw.TX} {
		if value != nil {
			t.accumulate("telemetry", fields[i], *value)
		}
	}
	return true
}

func (t *Totals) accumulate(kind, name string, value int64) {
	t.Keys[kind+"/"+name]++
	t.Keys[kind+"_sum/"+name] += value
	t.Keys[kind+"_avg/"+name] = t.Keys[kind+"_sum/"+name] / t.Keys[kind+"/"+name]
}

func (t *Totals) alert(v any) {
	b, err := json.Marshal(v)
	if err == nil { // cannot fail: v is strings and integers
		t.Alerts = append(t.Alerts, string(b))
	}
}

// Counter reads a value as the plugin stores it; false if it is none.
func Counter(value []byte) (int64, bool) {
	if len(value) != 8 {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(value)), true
}
