package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/getevo/rmds-router/test/internal/node"
)

// TestBacklogOfAnOutage puts a hundred thousand messages behind an outage of NATS.
func TestBacklogOfAnOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand messages: not with -short")
	}
	const messages = 100_000
	c := newCluster(t)
	c.config("alice", "feeder.yaml")
	c.startNATS()
	c.feed(1, 1) // so that every reader is known before NATS is gone
	c.start("alice", "bob", "lisa", "andy")
	c.allHandled(1)
	c.stopNATS()
	begun := time.Now()
	c.feed(2, messages)
	c.accepted("bob", messages)
	t.Logf("%d messages accepted without NATS in %s", messages, since(begun))
	begun = time.Now()
	c.startNATS()
	c.allHandled(messages)
	t.Logf("%d messages handled in order by each of %d readers %s after NATS came back: %d a second in all",
		messages, len(readers), since(begun), int(float64(messages*len(readers))/time.Since(begun).Seconds()))
	var sent []string
	for i := range messages {
		sent = append(sent, line(i+1))
	}
	c.verify(sent...)
}

// TestStartWithAMillionPending compares how long a node takes to be ready with a million messages pending and with none.
func TestStartWithAMillionPending(t *testing.T) {
	if testing.Short() {
		t.Skip("a million messages: not with -short")
	}
	const messages, fewest, most = 1_000_000, 3, 15
	c := newCluster(t)
	c.config("alice", "feeder.yaml")
	c.startNATS()
	c.feed(1, 1)
	c.start("alice", "bob")
	c.accepted("bob", 1)
	c.kill("bob") // without a word: all that follows waits for it
	begun := time.Now()
	c.feed(2, messages)
	c.accepted("bob", messages)
	t.Logf("%d messages accepted in %s", messages, since(begun))
	c.kill("alice") // lisa is an empty node, started in turn with alice

	var full, empty []time.Duration
	slow := func() bool { return slices.Min(full) > slices.Min(empty)+time.Second }
	for n := 0; n < fewest || n < most && slow(); n++ { // on a busy machine the shortest of a few may be long by chance
		full = append(full, c.timeToReady("alice"))
		a, _ := node.Account(c.status("alice"), channel, "bob")
		if a.Accepted != messages || a.Pending < messages-1 || !a.Balanced() {
			t.Fatalf("after the start the account is %+v", a)
		}
		c.kill("alice")
		for _, suffix := range []string{"", "-wal", "-shm", ".reserve"} {
			if err := os.Remove(filepath.Join(c.work, "lisa.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		empty = append(empty, c.timeToReady("lisa"))
		c.kill("lisa")
	}
	t.Logf("ready after %v with %d messages pending, after %v without any", full, messages, empty)
	if slow() {
		t.Errorf("a million pending messages cost more than a second at the start")
	}

	begun = time.Now()
	c.start("alice", "bob")
	c.until("the reader that was away has handled all", func() error {
		s, err := c.nodes["alice"].Status(t.Context())
		if err != nil {
			return err
		}
		if a, _ := node.Account(s, channel, "bob"); a.Handled != messages || a.Pending != 0 || !a.Balanced() {
			return fmt.Errorf("the account is %+v", a)
		}
		return nil
	})
	t.Logf("the reader handled them %s after both were started", since(begun))
	c.inOrder("bob", messages)
}

// config gives a node another configuration; it must not be running.
func (c *cluster) config(name, file string) {
	n := c.nodes[name]
	n.Args[slices.Index(n.Args, "--config")+1] = filepath.Join("testdata", file)
}

func line(number int) string { return "line " + strconv.Itoa(number) }

// feed appends lines to the file that alice follows.
func (c *cluster) feed(from, to int) {
	c.t.Helper()
	file, err := os.OpenFile(filepath.Join(c.work, "lines.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	var text bytes.Buffer
	for i := from; i <= to; i++ {
		text.WriteString(line(i) + "\n")
	}
	_, err = file.Write(text.Bytes())
	if err := errors.Join(err, file.Close()); err != nil {
		c.t.Fatal(err)
	}
}

// accepted waits until alice has taken so many messages for a reader.
func (c *cluster) accepted(reader string, count int64) {
	c.t.Helper()
	c.until(fmt.Sprintf("%d messages accepted", count), func() error {
		s, err := c.nodes["alice"].Status(c.t.Context())
		if err != nil {
			return err
		}
		if a, _ := node.Account(s, channel, reader); a.Accepted != count {
			return fmt.Errorf("the account of %s is %+v", reader, a)
		}
		return nil
	})
}

func (c *cluster) kill(name string) {
	c.t.Helper()
	if err := c.nodes[name].Kill(); err != nil {
		c.t.Fatal(err)
	}
}

// timeToReady starts a node and returns how long it took until it took messages.
func (c *cluster) timeToReady(name string) time.Duration {
	c.t.Helper()
	n := c.nodes[name]
	begun := time.Now()
	if err := n.Start(); err != nil {
		c.t.Fatal(err)
	}
	for {
		if ready(c.t.Context(), n) {
			return time.Since(begun)
		}
		if err := n.Fault(); err != nil {
			c.t.Fatal(err)
		}
		if time.Since(begun) > patience {
			c.t.Fatalf("%s is not ready:\n%s", name, n.LogEnd())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func ready(ctx context.Context, n *node.Node) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.HTTP+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// inOrder requires that a reader, which may have been killed, wrote every line in order; what it had written last may be repeated.
func (c *cluster) inOrder(name string, messages int) {
	c.t.Helper()
	next := 1
	for _, text := range c.seen(name) {
		switch text {
		case line(next):
			next++
		case line(1): // bob was killed before its first position was durable
		default:
			c.t.Fatalf("%s wrote %q, want line %d", name, text, next)
		}
	}
	if next != messages+1 {
		c.t.Errorf("%s wrote %d lines, want %d", name, next-1, messages)
	}
}

func since(begun time.Time) time.Duration { return time.Since(begun).Round(time.Millisecond) }
