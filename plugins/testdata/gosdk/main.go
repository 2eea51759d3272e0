// Command gosdk is a plugin that uses everything the Go SDK has, for a test in the host. The first word of a body says what to do.
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
	rmds.Handle(handle)
	rmds.Health(func() error {
		if unwell {
			return errors.New("a bit unwell")
		}
		return nil
	})
	rmds.Stop(func() { rmds.Log(rmds.Warn, "bye") })
}

func main() {}

func filter(m *rmds.Message) rmds.Verdict {
	word, rest, _ := strings.Cut(string(m.Body()), " ")
	var err error
	switch word {
	case "body":
		err = m.SetBody([]byte(rest))
	case "channel":
		err = m.SetChannel(rest)
	case "header":
		err = errors.Join(m.SetHeader("set", rest), m.DeleteHeader("a"))
	case "drop":
		return rmds.Drop
	}
	if err != nil {
		return rmds.Dead(err.Error())
	}
	return rmds.Pass
}

func handle(m *rmds.Message) rmds.Verdict {
	word, rest, _ := strings.Cut(string(m.Body()), " ")
	switch word {
	case "describe":
		return describe(m)
	case "kv":
		return keys()
	case "emit":
		err := rmds.Emit("out", []byte(rest), rmds.TTL(time.Second), rmds.Delay(2*time.Second), rmds.WithHeader("h", "v"))
		if err == nil {
			err = rmds.Emit("out", nil, rmds.WithHeader("", "v"))
		}
		if !errors.Is(err, rmds.ErrArgument) {
			return rmds.Dead(fmt.Sprint("an illegal header gives ", err))
		}
		return check(rmds.Emit("out", []byte("plain")))
	case "denied":
		return check(rmds.Emit("elsewhere", nil))
	case "retry":
		return rmds.RetryAfter(1500 * time.Millisecond)
	case "panic":
		panic("on purpose")
	case "index":
		return rmds.Verdict([]int{}[m.Size()])
	case "exhaust":
		var kept [][]byte
		for {
			kept = append(kept, make([]byte, 1<<20))
			kept[len(kept)-1][0] = 1
		}
	case "spin":
		for {
		}
	case "unwell":
		unwell = true
	}
	return rmds.Ack
}

func check(err error) rmds.Verdict {
	if err != nil {
		return rmds.Dead(err.Error())
	}
	return rmds.Ack
}

func describe(m *rmds.Message) rmds.Verdict {
	a, hasA := m.Header("a")
	_, hasZ := m.Header("z")
	expires, expiring := m.Expires()
	info, err := rmds.NodeInfo()
	rmds.Stat("described", 2)
	text := fmt.Sprintf("%v %s %s %s %s %d %d %d %d %v %q %v %v %v %s %s %s %v %v", started, m.ID(), m.Channel(), m.Sender(), m.LastError(), m.Attempt(), m.Seq(),
		m.Created().UnixMilli(), expires.UnixMilli(), expiring, a, hasA, hasZ, m.Headers(), rmds.Config(), rmds.Name(), info, err, rmds.Left() > 0 && time.Since(rmds.Now()) < time.Minute)
	return check(rmds.Emit("out", []byte(text)))
}

// keys walks through every function on keys and says what came out.
func keys() rmds.Verdict {
	var said []string
	say := func(v ...any) { said = append(said, strings.TrimSpace(fmt.Sprintln(v...))) }
	say(rmds.Get("n"))
	say(rmds.Add("n", 5))
	say(rmds.Add("n", -7))
	say(rmds.Set("a/2", []byte("two")), rmds.Set("a/1", make([]byte, 1000)), rmds.SetCounter("a", 9))
	value, err := rmds.Get("a/1")
	say(len(value), err)
	value, err = rmds.Get("a/2")
	say(string(value), err)
	_, err = rmds.Add("a/2", 1)
	say(errors.Is(err, rmds.ErrArgument))
	say(rmds.Delete("n"))
	for _, prefix := range []string{"", "a", "a/", "z"} {
		var found []string
		for key, err := range rmds.Keys(prefix) {
			if err != nil {
				return rmds.Dead(err.Error())
			}
			found = append(found, key)
		}
		say(found)
	}
	_, err = rmds.Next("a/2")
	say(errors.Is(err, rmds.ErrAbsent))
	return check(rmds.Emit("out", []byte(strings.Join(said, "; "))))
}
