// Command vectors is the plugin of ../vectors.json in Go: the first word of a body says what to do.
package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	rmds "github.com/getevo/rmds-router/sdk/go"
)

var started, unwell bool

func init() {
	rmds.Start(func() error {
		started = true
		if _, err := rmds.Get("key"); !errors.Is(err, rmds.ErrMisplaced) {
			return fmt.Errorf("a key can be read at the start: %w", err)
		}
		return nil
	})
	rmds.Filter(filter)
	rmds.Handle(func(m *rmds.Message) rmds.Verdict { return verdict(handle(m)) })
	rmds.Tick(func(now time.Time) rmds.Verdict {
		return check(rmds.Emit("out", fmt.Appendf(nil, "tick %d", now.UnixMilli())))
	})
	rmds.Health(func() error {
		if unwell {
			return errors.New("a bit unwell")
		}
		return nil
	})
	rmds.Stop(func() { rmds.Log(rmds.Warn, "bye") })
}

func main() {}

func verdict(v rmds.Verdict, err error) rmds.Verdict {
	if err != nil {
		return rmds.Dead(err.Error())
	}
	return v
}

func check(err error) rmds.Verdict { return verdict(rmds.Ack, err) }

func filter(m *rmds.Message) rmds.Verdict {
	word, rest, _ := strings.Cut(string(m.Body()), " ")
	switch word {
	case "body":
		return check(m.SetBody([]byte(rest)))
	case "channel":
		return check(m.SetChannel(rest))
	case "header":
		return check(errors.Join(m.SetHeader("set", rest), m.DeleteHeader("a")))
	case "drop":
		return rmds.Drop
	case "dead":
		return rmds.Dead(rest)
	}
	return rmds.Pass
}

func handle(m *rmds.Message) (rmds.Verdict, error) {
	word, rest, _ := strings.Cut(string(m.Body()), " ")
	switch word {
	case "describe":
		return rmds.Ack, describe(m)
	case "kv":
		return rmds.Ack, keys()
	case "emit":
		if err := rmds.Emit("out", []byte(rest), rmds.TTL(time.Second), rmds.Delay(2*time.Second), rmds.WithHeader("h", "v")); err != nil {
			return 0, err
		}
		if err := rmds.Emit("out", nil, rmds.TTL(time.Second), rmds.WithHeader("", "v")); !errors.Is(err, rmds.ErrArgument) {
			return 0, fmt.Errorf("an illegal header gives %w", err)
		}
		return rmds.Ack, rmds.Emit("out", []byte("plain"))
	case "denied":
		return rmds.Ack, rmds.Emit("elsewhere", nil)
	case "retry":
		return rmds.RetryAfter(1500 * time.Millisecond), nil
	case "log":
		rmds.Log(rmds.Warn, rest)
	case "panic":
		panic("on purpose")
	case "large":
		sum := 0
		for _, b := range m.Body() {
			sum += int(b)
		}
		return rmds.Ack, rmds.Emit("out", fmt.Appendf(nil, "%d bytes, sum %d", m.Size(), sum))
	case "unwell":
		unwell = true
	}
	return rmds.Ack, nil
}

func describe(m *rmds.Message) error {
	a, _ := m.Header("a")
	said := map[bool]string{true: "started", false: "not started"}[started]
	z := "a"
	if _, ok := m.Header("z"); !ok {
		z = "no"
	}
	var headers []string
	for _, h := range m.Headers() {
		headers = append(headers, h.Name+"="+h.Value)
	}
	expires, _ := m.Expires()
	info, err := rmds.NodeInfo()
	if err != nil {
		return err
	}
	clock := "no clock"
	if rmds.Left() > 0 && time.Since(rmds.Now()).Abs() < time.Minute {
		clock = "clock"
	}
	rmds.Stat("described", 2)
	return rmds.Emit("out", fmt.Appendf(nil, "%s %s %s %s %s attempt %d seq %d created %d expires %d a=%s %s z %v %s %s %s size %d %s", said, m.ID(), m.Channel(),
		m.Sender(), m.LastError(), m.Attempt(), m.Seq(), m.Created().UnixMilli(), expires.UnixMilli(), a, z, headers, rmds.Config(), rmds.Name(), info, m.Size(), clock))
}

// keys walks through every function on keys and says what came out.
func keys() error {
	var said []string
	say := func(v any, err error) {
		if err != nil {
			v = errors.Unwrap(err)
		}
		said = append(said, fmt.Sprint(v))
	}
	if v, err := rmds.Get("n"); v == nil {
		say("absent", err)
	}
	say(rmds.Add("n", 5))
	say(rmds.Add("n", -7))
	if err := errors.Join(rmds.Set("a/2", []byte("two")), rmds.Set("a/1", make([]byte, 1000)), rmds.SetCounter("a", 9)); err != nil {
		return err
	}
	value, err := rmds.Get("a/1")
	say(fmt.Sprintf("%d bytes", len(value)), err)
	value, err = rmds.Get("a/2")
	say(string(value), err)
	say(rmds.Add("a/2", 1))
	if err := rmds.Delete("n"); err != nil {
		return err
	}
	for _, prefix := range []string{"", "a", "a/", "z"} {
		var found []string
		for key, err := range rmds.Keys(prefix) {
			if err != nil {
				return err
			}
			found = append(found, key)
		}
		say(strings.Join(found, " "), nil)
	}
	if _, err := rmds.Next("a/2"); errors.Is(err, rmds.ErrAbsent) {
		say("end", nil)
	}
	return rmds.Emit("out", []byte(strings.Join(said, "; ")))
}
