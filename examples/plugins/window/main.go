// Command window averages readings by sensor. Every tick ends a window: it emits each sensor's average to averages, and to alerts what is above the limit.
//
// A reading is {"sensor": "boiler", "value": 71}. What a window has so far is kept under two counters for each sensor, sum/ and count/, so
// that a crash loses nothing and counts nothing twice.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"window/rmds"
)

type reading struct {
	Sensor string `json:"sensor"`
	Value  int64  `json:"value"`
}

type average struct {
	Sensor  string  `json:"sensor"`
	Average float64 `json:"average"`
	Count   int64   `json:"count"`
}

var limit struct {
	Limit float64 `json:"limit"`
}

func init() {
	rmds.Start(func() error { return json.Unmarshal(rmds.Config(), &limit) })
	rmds.Handle(func(m *rmds.Message) rmds.Verdict { return verdict(add(m)) })
	rmds.Tick(func(time.Time) rmds.Verdict { return verdict(end()) })
}

func main() {}

func verdict(err error) rmds.Verdict {
	if err != nil {
		return rmds.Dead(err.Error())
	}
	return rmds.Ack
}

func add(m *rmds.Message) error {
	var r reading
	if err := json.Unmarshal(m.Body(), &r); err != nil {
		return fmt.Errorf("no reading: want a sensor and a value: %w", err)
	}
	if r.Sensor == "" {
		return errors.New("no reading: want a sensor and a value")
	}
	if _, err := rmds.Add("sum/"+r.Sensor, r.Value); err != nil {
		return err
	}
	_, err := rmds.Add("count/"+r.Sensor, 1)
	return err
}

// end emits the averages and starts the next window.
func end() error {
	for key, err := range rmds.Keys("count/") {
		if err != nil {
			return err
		}
		sensor := strings.TrimPrefix(key, "count/")
		count, err := rmds.Add(key, 0)
		if err != nil {
			return err
		}
		sum, err := rmds.Add("sum/"+sensor, 0)
		if err != nil {
			return err
		}
		if err := report(average{sensor, float64(sum) / float64(count), count}); err != nil {
			return err
		}
		for _, done := range []string{key, "sum/" + sensor} {
			if err := rmds.Delete(done); err != nil {
				return err
			}
		}
	}
	return nil
}

func report(a average) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if a.Average > limit.Limit {
		if err := rmds.Emit("alerts", body); err != nil {
			return err
		}
	}
	return rmds.Emit("averages", body)
}
