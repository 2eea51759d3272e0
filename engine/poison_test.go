package engine_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
)

// The environment of the process that a poisonous message kills: where its files are, and whether to redrive the dead letter.
const (
	poisonDir     = "RMDS_TEST_POISON"
	poisonRedrive = "RMDS_TEST_POISON_REDRIVE"
)

const (
	poisonAttempts = 3
	poisonMessages = 20
	poisonAt       = 7
	// It may kill this often uncounted: while no start has begun with it, for what is before it was not durable. Each start halves the
	// distance: 6, then 2, then 1 at most.
	uncounted = 4
)

// TestPoisonedProcess is the process itself: a node that reads its own messages, one of which kills it.
func TestPoisonedProcess(t *testing.T) {
	dir := os.Getenv(poisonDir)
	if dir == "" {
		t.Skip("is started by TestPoisonThatKillsTheProcess")
	}
	note := func(text string) {
		f, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text + "\n")
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Error(err)
		}
	}
	config := testConfig(t, dir, "lone", 1)
	config.MaxRetryAttempts = poisonAttempts
	config.DeliveryRetryInterval = time.Millisecond
	node := open(t, config)
	work, err := node.JoinChannel("work", rmds.RW, rmds.Own())
	if err != nil {
		t.Fatal(err)
	}
	if len(node.Accounts()) == 0 || node.Accounts()[0].Accepted == 0 {
		sendAll(t, work, numbered(1, poisonMessages))
	}
	if err := work.OnMessage(func(m *rmds.Message) {
		note(string(m.Data))
		if m.Seq == poisonAt {
			die(t)
		}
		_ = m.Ack()
	}); err != nil {
		t.Fatal(err)
	}
	account(t, node, func(a rmds.Account) bool { return a.Handled == poisonMessages-1 && a.Dead == 1 && a.Pending == 0 })
	letters, err := node.DeadLetters(rmds.DeadLetterFilter{})
	if err != nil || len(letters) != 1 || letters[0].Seq != poisonAt || letters[0].Attempts != poisonAttempts {
		t.Fatalf("%+v, %v", letters, err)
	}
	if os.Getenv(poisonRedrive) != "" {
		t.Fatal("alive after: ", node.Redrive(t.Context(), letters[0].ID))
	}
}

// die ends this process at once, as kill -9 does.
func die(t *testing.T) {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Error(err)
	}
	select {} // until it is so
}

func poisoned(t *testing.T, dir string, env ...string) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPoisonedProcess$", "-test.timeout=2m")
	cmd.Env = append(append(os.Environ(), poisonDir+"="+dir), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.ExitCode() == -1:
		return true
	}
	t.Fatalf("%v\n%s", err, out)
	return false
}

// A message that kills the process comes to an end all the same: whatever an unclean stop finds at the front of a lane runs alone, and its
// attempt is counted before the call. The process that the message kills is a real one.
func TestPoisonThatKillsTheProcess(t *testing.T) {
	dir := t.TempDir()
	kills := 0
	for poisoned(t, dir) {
		if kills++; kills > poisonAttempts+uncounted {
			t.Fatal("it kills on and on")
		}
	}
	if kills <= poisonAttempts { // the first time it was not yet suspected
		t.Errorf("it killed %d processes before it was given up on, want more than %d", kills, poisonAttempts)
	}
	text, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Split(strings.TrimSpace(string(text)), "\n")
	if n := len(slices.DeleteFunc(slices.Clone(calls), func(s string) bool { return s != fmt.Sprint("message ", poisonAt) })); n != kills {
		t.Errorf("it was handed over %d times, and killed %d", n, kills)
	}
	if rest, want := calls[len(calls)-(poisonMessages-poisonAt):], numbered(poisonAt+1, poisonMessages); !slices.Equal(rest, want) {
		t.Errorf("after it came %v, want %v", rest, want)
	}
	if !poisoned(t, dir, poisonRedrive+"=1") {
		t.Error("a redrive of it does not kill the process")
	}
	if poisoned(t, dir) {
		t.Error("a redrive that killed the process is made again by itself")
	}
}
