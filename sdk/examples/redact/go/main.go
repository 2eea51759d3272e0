// Command redact writes "***" in place of what the members that the configuration names hold, at any depth. Every other byte stays as it is. What is no
// JSON becomes a dead letter: nobody could say what is in it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"redact/rmds"
)

var config struct {
	Fields []string `json:"fields"`
}

func init() {
	rmds.Start(start)
	rmds.Filter(filter)
}

func main() {}

func start() error {
	if err := json.Unmarshal(rmds.Config(), &config); err != nil || len(config.Fields) == 0 {
		return errors.Join(errors.New("fields: want a list of names"), err)
	}
	return nil
}

func filter(m *rmds.Message) rmds.Verdict {
	body := m.Body()
	if !json.Valid(body) {
		return rmds.Dead("no JSON")
	}
	r := redactor{body: body, in: json.NewDecoder(bytes.NewReader(body))}
	if err := r.value(); err != nil {
		return rmds.Dead(fmt.Sprintf("no JSON: %v", err))
	}
	if r.count == 0 {
		return rmds.Pass
	}
	rmds.Stat("redacted", r.count)
	if err := m.SetBody(append(r.out, body[r.kept:]...)); err != nil {
		return rmds.Dead(err.Error())
	}
	return rmds.Pass
}

// redactor goes over a valid body once.
type redactor struct {
	body  []byte
	in    *json.Decoder
	out   []byte
	kept  int64 // how far body is in out
	count int64
}

// value goes past one value, whatever it holds.
func (r *redactor) value() error {
	open, err := r.in.Token()
	if err != nil || (open != json.Delim('{') && open != json.Delim('[')) {
		return err
	}
	for r.in.More() {
		secret := false
		if open == json.Delim('{') {
			name, err := r.in.Token()
			if err != nil {
				return err
			}
			secret = slices.Contains(config.Fields, name.(string))
		}
		next := r.value
		if secret {
			next = r.redact
		}
		if err := next(); err != nil {
			return err
		}
	}
	_, err = r.in.Token()
	return err
}

// redact puts the mark in the place of one value.
func (r *redactor) redact() error {
	var value json.RawMessage
	if err := r.in.Decode(&value); err != nil {
		return err
	}
	end := r.in.InputOffset()
	r.out = append(append(r.out, r.body[r.kept:end-int64(len(value))]...), `"***"`...)
	r.kept = end
	r.count++
	return nil
}
