// Command aggregate is a plugin that counts and averages what it handles, and raises alerts. README.md has the rules.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	rmds "github.com/getevo/rmds-router/sdk/go"
)

const milestone = 10_000

var settings = struct {
	LongLine int    `json:"long_line"`
	Alerts   string `json:"alerts"`
}{LongLine: 120, Alerts: "alerts"}

func init() {
	rmds.Start(func() error { return json.Unmarshal(rmds.Config(), &settings) })
	rmds.Handle(handle)
}

func main() {}

func handle(m *rmds.Message) rmds.Verdict {
	body := m.Body()
	in, err := parse(body)
	if err != nil {
		return rmds.Dead("not the JSON that this plugin takes: " + err.Error())
	}
	work := func() error { return sample(body) }
	if in.Text != nil {
		work = func() error { return line(in.File, in.Line, *in.Text) }
	}
	if err := work(); err != nil {
		return rmds.Dead(err.Error())
	}
	if err := countMessage(); err != nil {
		return rmds.Dead(err.Error())
	}
	if err := chain(m.Sender(), body); err != nil {
		return rmds.Dead(err.Error())
	}
	return rmds.Ack
}

// line takes one line of a file.
func line(file string, number int64, text string) error {
	folder := file
	if at := strings.LastIndexByte(file, '/'); at > 0 {
		folder = file[:at]
	}
	if err := accumulate("lines", folder, int64(len(text))); err != nil {
		return err
	}
	if len(text) <= settings.LongLine {
		return nil
	}
	return alert(struct {
		Alert  string `json:"alert"`
		File   string `json:"file"`
		Line   int64  `json:"line"`
		Length int    `json:"length"`
	}{"long line", file, number, len(text)})
}

// sample takes the numbers of one measurement.
func sample(body []byte) error {
	var fields struct {
		CPU  *int64 `json:"cpu_milli"`
		Mem  *int64 `json:"mem_used_kib"`
		Disk *int64 `json:"disk_used_kib"`
		RX   *int64 `json:"net_rx_bytes"`
		TX   *int64 `json:"net_tx_bytes"`
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		return fmt.Errorf("not a sample of integers: %w", err)
	}
	for _, f := range []struct {
		name  string
		value *int64
	}{
		{"cpu_milli", fields.CPU}, {"mem_used_kib", fields.Mem}, {"disk_used_kib", fields.Disk},
		{"net_rx_bytes", fields.RX}, {"net_tx_bytes", fields.TX},
	} {
		if f.value == nil {
			continue
		}
		if err := accumulate("telemetry", f.name, *f.value); err != nil {
			return err
		}
	}
	return nil
}

// accumulate adds one value to a count, a sum and the average of both.
func accumulate(kind, name string, value int64) error {
	count, err := rmds.Add(kind+"/"+name, 1)
	if err != nil {
		return err
	}
	sum, err := rmds.Add(kind+"_sum/"+name, value)
	if err != nil {
		return err
	}
	return rmds.SetCounter(kind+"_avg/"+name, sum/count)
}

func countMessage() error {
	n, err := rmds.Add("messages", 1)
	if err != nil || n%milestone != 0 {
		return err
	}
	return alert(struct {
		Alert string `json:"alert"`
		Count int64  `json:"count"`
	}{"milestone", n})
}

// chain adds a message to the running checksum of its sender's messages, which changes with every one that is lost, repeated or
// out of order: FNV-1a of 64 bits over the bodies, each followed by a line feed.
func chain(sender string, body []byte) error {
	key, sum := "chain/"+sender, uint64(14695981039346656037)
	stored, err := rmds.Get(key)
	if err != nil {
		return err
	}
	if len(stored) == 8 {
		sum = binary.LittleEndian.Uint64(stored)
	}
	for _, b := range body {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	sum = (sum ^ '\n') * 1099511628211
	return rmds.SetCounter(key, int64(sum))
}

func alert(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return rmds.Emit(settings.Alerts, b)
}
