package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/chaos/child"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rmds-router": main})
}

// The scripts run the real program. Each has free addresses in $RMDS_HTTP, $BOB and $NATS, and the plugin host's fixtures in $WASM.
func TestScripts(t *testing.T) {
	p := scripts(t)
	p.Dir = "testdata/script"
	testscript.Run(t, p)
}

// scripts is what scripts find and may say.
func scripts(t *testing.T) testscript.Params {
	t.Helper()
	wasm, err := filepath.Abs("../../plugins/testdata")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"RMDS_HTTP", "BOB", "NATS"} {
				address, err := child.FreeAddress()
				if err != nil {
					return err
				}
				e.Setenv(name, address)
			}
			if err := os.WriteFile(filepath.Join(e.WorkDir, "big.txt"), bytes.Repeat([]byte("x"), 16<<10+1), 0o600); err != nil {
				return err
			}
			e.Setenv("WASM", wasm)
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "terminate": terminate, "newer": newer, "holds": holds, "letters": letters, "handled": handled, "journaled": journaled, "exits1": exits(exitFailure), "exits2": exits(exitUsage), "oneline": oneLine, "listed": listed, "probe": probe, "crowd": crowd, "noise": noise, "flip": flip},
	}
}

// await waits until the router at $RMDS_HTTP answers.
func await(ts *testscript.TestScript, neg bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := admin.NewClient(ts.Getenv("RMDS_HTTP")).Await(ctx); (err != nil) != neg {
		ts.Fatalf("await: %v", err)
	}
}

// holds waits until a file has this content and a line feed; a backslash and an n in it are one too.
func holds(ts *testscript.TestScript, _ bool, args []string) {
	want := strings.ReplaceAll(args[1], `\n`, "\n") + "\n"
	deadline := time.Now().Add(time.Minute)
	for {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && string(data) == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s holds %q (%v), want %q", args[0], data, err, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// letters waits until the router at $RMDS_HTTP has as many dead letters of a channel.
func letters(ts *testscript.TestScript, _ bool, args []string) {
	has(ts, args[1], func(ctx context.Context, c *admin.Client) (int, error) {
		page, err := c.DeadLetters(ctx, admin.DeadLetterFilter{Channel: args[0]})
		return len(page.Letters), err
	})
}

// handled waits until the router at $RMDS_HTTP has handled as many messages of a channel that it reads itself.
func handled(ts *testscript.TestScript, _ bool, args []string) {
	has(ts, args[1], func(ctx context.Context, c *admin.Client) (int, error) {
		s, err := c.Status(ctx)
		if err != nil {
			return 0, err
		}
		for _, a := range s.Accounts {
			if a.Channel == args[0] && a.Reader == s.Node {
				return int(a.Handled), nil
			}
		}
		return 0, nil
	})
}

// journaled waits until a channel's journal at the router at $RMDS_HTTP has as many messages.
func journaled(ts *testscript.TestScript, _ bool, args []string) {
	has(ts, args[1], func(ctx context.Context, c *admin.Client) (int, error) {
		page, err := c.Journal(ctx, args[0], admin.JournalQuery{})
		return len(page.Messages), err
	})
}

// has waits until the router has so many of something.
func has(ts *testscript.TestScript, want string, count func(context.Context, *admin.Client) (int, error)) {
	deadline := time.Now().Add(time.Minute)
	for {
		n, err := count(context.Background(), admin.NewClient(ts.Getenv("RMDS_HTTP")))
		if err == nil && fmt.Sprint(n) == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("there are %d (%v), want %s", n, err, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// exits runs a program that must end with this code; stderr looks at its standard error afterwards, as after exec.
func exits(code int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		err := ts.Exec(args[0], args[1:]...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != code {
			ts.Fatalf("%v ended with %v, want exit code %d", args, err, code)
		}
	}
}

// oneLine demands that the program before wrote one line to standard error, and that it matches.
func oneLine(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("stderr")
	if strings.Count(text, "\n") != 1 || !regexp.MustCompile(args[0]).MatchString(strings.TrimSuffix(text, "\n")) {
		ts.Fatalf("standard error is %q, want one line like %q", text, args[0])
	}
}

// probe asks the router at $RMDS_HTTP for a page until it has this status and a body like this.
func probe(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[2])
	deadline := time.Now().Add(time.Minute)
	for {
		response, err := http.Get("http://" + ts.Getenv("RMDS_HTTP") + "/" + args[0])
		ts.Check(err)
		body, err := io.ReadAll(response.Body)
		ts.Check(errors.Join(err, response.Body.Close()))
		if fmt.Sprint(response.StatusCode) == args[1] && want.Match(body) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("/%s answers %d %s, want %s %s", args[0], response.StatusCode, body, args[1], args[2])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// noise makes a file of so many bytes that no compression makes smaller.
func noise(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// flip changes a bit of a database in the midst of what it stores of a file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	database, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	stored, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	for from := len(stored) / 2; from+4000 <= len(stored); from += 4000 { // some of these parts is not divided between two pages
		if at := bytes.Index(database, stored[from:from+4000]); at >= 0 {
			database[at+2000] ^= 1
			ts.Check(os.WriteFile(ts.MkAbs(args[0]), database, 0o600))
			return
		}
	}
	ts.Fatalf("%s does not hold %s", args[0], args[1])
}

// crowd sends what a file holds, and then a little of it, on a channel until the storage has no room even for that.
func crowd(ts *testscript.TestScript, _ bool, args []string) {
	client := admin.NewClient(ts.Getenv("RMDS_HTTP"))
	noise, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	for _, size := range []int{len(noise), 2000} {
		var err error
		for i := 0; err == nil; i++ {
			_, err = client.Send(context.Background(), args[0], admin.Outgoing{Data: noise[:size]})
			if i > 5000 {
				ts.Fatalf("the storage never gets full")
			}
		}
		var p *admin.Problem
		if !errors.As(err, &p) || p.Status != http.StatusInsufficientStorage {
			ts.Fatalf("a send is answered with %v", err)
		}
	}
}

// listed runs a listing until a line of it matches: other nodes are heard of in time.
func listed(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[1])
	deadline := time.Now().Add(time.Minute)
	for {
		err := ts.Exec("rmds-router", args[0])
		if err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s lists %q (%v), want %q", args[0], ts.ReadFile("stdout"), err, args[1])
		}
	}
}

// terminate sends SIGTERM to the programs in the background, or to the one whose configuration is named.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	for _, cmd := range ts.BackgroundCmds() {
		if len(args) > 0 && !slices.Contains(cmd.Args, args[0]+".yaml") {
			continue
		}
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// newer marks a database as written by a newer version.
func newer(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sqlite3.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(db.Exec("PRAGMA user_version=99"))
	ts.Check(db.Close())
}

func TestPrintableTakesControlAway(t *testing.T) {
	for in, want := range map[string]string{"plain ☃\tx": "plain ☃\tx", "\x1b[31mred\r\n": `\x1b[31mred\r\n`, "a\u202eb": `a\u202eb`} {
		if got := printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestPeriod(t *testing.T) {
	for d, want := range map[time.Duration]string{72 * time.Hour: "72h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s", time.Minute: "1m"} {
		if got := period(d); got != want {
			t.Errorf("%s: got %s, want %s", fmt.Sprint(d), got, want)
		}
	}
}
