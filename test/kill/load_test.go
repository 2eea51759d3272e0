package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	redactref "github.com/getevo/rmds-router/examples/plugins/redact/reference"
	"github.com/getevo/rmds-router/test/internal/node"
)

// message is what is sent. Its file says where it came from and its line counts from 1 there, so both name it.
type message struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// The places that messages come from: the followed file, and two clients at each of the routers.
const fromFile = "file/lines"

var clients = map[string][]string{"edge": {"edge-a/http", "edge-b/http"}, "hub": {"hub-a/http", "hub-b/http"}}

// senderOf is the router that sends the messages of a place.
func senderOf(file string) string {
	for sender, files := range clients {
		for _, f := range files {
			if f == file {
				return sender
			}
		}
	}
	return "edge"
}

// blank says which lines of the file have no text, so that the edge's filter drops them.
func blank(file string, line int) bool { return file == fromFile && line%10 == 0 }

// body is a message as it is sent.
func body(file string, line int) []byte {
	m := message{File: file, Line: line}
	if !blank(file, line) {
		m.Text = fmt.Sprintf("%s says %07d, at length %s", file, line, bytes.Repeat([]byte("."), line%150))
	}
	data, err := json.Marshal(m)
	if err != nil { // strings and numbers always have a JSON form
		panic(err)
	}
	return data
}

// arrived is the message as the hub's handler gets it.
func arrived(file string, line int) []byte {
	data := body(file, line)
	if senderOf(file) == "edge" {
		data, _ = redactref.Apply(data)
	}
	return data
}

// sent is what one place has sent.
type sent struct {
	lines int          // attempts, numbered from 1
	ok    map[int]bool // those that were confirmed; of the others nothing is known
}

// load sends until it is stopped.
type load struct {
	sent map[string]*sent
	err  error // of the file; like sent, to be read after finish
	work sync.WaitGroup
	stop context.CancelFunc
}

// startLoad lets the file grow and the clients send.
func startLoad(path string, nodes map[string]*node.Node, seed uint64) *load {
	ctx, cancel := context.WithCancel(context.Background())
	file := &sent{ok: map[int]bool{}}
	l := &load{sent: map[string]*sent{fromFile: file}, stop: cancel}
	l.work.Go(func() { l.err = grow(ctx, path, rand.New(rand.NewPCG(seed, 1)), file) })
	for name, files := range clients {
		for _, file := range files {
			s := &sent{ok: map[int]bool{}}
			l.sent[file] = s
			l.work.Go(func() { client(ctx, nodes[name], file, s) })
		}
	}
	return l
}

// finish stops sending and returns what was sent.
func (l *load) finish() (map[string]*sent, error) {
	l.stop()
	l.work.Wait()
	return l.sent, l.err
}

// grow appends lines to the file, in pieces that end anywhere, and at the end completes the last line.
func grow(ctx context.Context, path string, random *rand.Rand, s *sent) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var rest []byte
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-time.After(10 * time.Millisecond):
			for range random.IntN(60) {
				s.lines++
				s.ok[s.lines] = true
				rest = append(append(rest, body(fromFile, s.lines)...), '\n')
			}
		}
		piece := len(rest)
		if running && piece > 0 {
			piece = random.IntN(piece)
		}
		if _, err := file.Write(rest[:piece]); err != nil {
			return err
		}
		rest = rest[piece:]
	}
	return nil
}

// client sends one message after another to a router that may be down.
func client(ctx context.Context, n *node.Node, file string, s *sent) {
	for ctx.Err() == nil {
		s.lines++
		pause := 2 * time.Millisecond
		// A send that has begun is finished, or its outcome would not be known when the load is stopped.
		if n.Send(context.WithoutCancel(ctx), "lines", body(file, s.lines)) == nil {
			s.ok[s.lines] = true
		} else {
			pause = 30 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
