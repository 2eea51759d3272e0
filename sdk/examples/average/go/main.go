// Command average keeps the average of each sensor's readings. A tick ends the window: it emits the averages to "averages", and to "alerts" what is above
// the limit.
//
// A reading is {"sensor": "boiler", "value": 71.5}. What a window has so far is kept under two counters for each sensor: sum/, in thousandths,
// and count/. So a crash loses nothing and counts nothing twice.
package main

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"average/rmds"
)

const (
	maxSensor = 256 // bytes of a sensor's name
	maxValue  = 1e12
)

var errReading = errors.New("no reading: want a sensor and a value")

var config struct {
	Limit *float64 `json:"limit"`
}

func init() {
	rmds.Start(start)
	rmds.Handle(func(m *rmds.Message) rmds.Verdict { return verdict(add(m.Body())) })
	rmds.Tick(func(time.Time) rmds.Verdict { return verdict(end()) })
}

func main() {}

func verdict(err error) rmds.Verdict {
	if err != nil {
		return rmds.Dead(err.Error())
	}
	return rmds.Ack
}

func start() error {
	if err := json.Unmarshal(rmds.Config(), &config); err != nil || config.Limit == nil {
		return errors.Join(errors.New("limit: want a number"), err)
	}
	return nil
}

func add(body []byte) error {
	var r struct {
		Sensor string   `json:"sensor"`
		Value  *float64 `json:"value"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return errors.Join(errReading, err)
	}
	if r.Sensor == "" || len(r.Sensor) > maxSensor || r.Value == nil || math.Abs(*r.Value) > maxValue {
		return errReading
	}
	if _, err := rmds.Add("sum/"+r.Sensor, int64(math.Round(*r.Value*1000))); err != nil {
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
		if err := endOf(strings.TrimPrefix(key, "count/")); err != nil {
			return err
		}
	}
	return nil
}

func endOf(sensor string) error {
	count, err := rmds.Add("count/"+sensor, 0)
	if err != nil {
		return err
	}
	sum, err := rmds.Add("sum/"+sensor, 0)
	if err != nil {
		return err
	}
	if count < 1 {
		return errors.New("the window cannot be read")
	}
	if err := report(sensor, float64(sum/count)/1000, count); err != nil {
		return err
	}
	return errors.Join(rmds.Delete("count/"+sensor), rmds.Delete("sum/"+sensor))
}

func report(sensor string, average float64, count int64) error {
	body, err := json.Marshal(struct {
		Sensor  string  `json:"sensor"`
		Average float64 `json:"average"`
		Count   int64   `json:"count"`
	}{sensor, average, count})
	if err != nil {
		return err
	}
	if average > *config.Limit {
		if err := rmds.Emit("alerts", body); err != nil {
			return err
		}
	}
	return rmds.Emit("averages", body)
}
