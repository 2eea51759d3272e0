package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	rmds "github.com/getevo/rmds-router/engine"
)

// guarded is a real NATS server whose users may do what a file says, until it is written anew.
type guarded struct {
	t    *testing.T
	port int
	file string
	s    *server.Server
}

func startGuarded(t *testing.T, port int, denied map[string]string) *guarded {
	t.Helper()
	g := &guarded{t: t, port: port, file: filepath.Join(t.TempDir(), "nats.conf")}
	g.write(denied)
	opts, err := server.ProcessConfigFile(g.file)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	if g.s, err = server.NewServer(opts); err != nil {
		t.Fatal(err)
	}
	go g.s.Start()
	if !g.s.ReadyForConnections(patience) {
		t.Fatal("the NATS server did not start")
	}
	t.Cleanup(func() { stopNATS(g.s) })
	return g
}

// write makes the file: denied holds, by user, what is denied, as NATS's configuration has it.
func (g *guarded) write(denied map[string]string) {
	g.t.Helper()
	var users []string
	for _, name := range []string{"alice", "bob", "lisa"} {
		users = append(users, fmt.Sprintf("{user: %s, password: %s, permissions: {%s}}", name, name, denied[name]))
	}
	text := fmt.Sprintf("listen: 127.0.0.1:%d\nauthorization: {users: [\n%s\n]}\n", g.port, strings.Join(users, "\n"))
	if err := os.WriteFile(g.file, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guarded) allow(denied map[string]string) {
	g.t.Helper()
	g.write(denied)
	if err := g.s.Reload(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guarded) open(dir, id string) *rmds.Connection {
	g.t.Helper()
	c := testConfig(g.t, dir, id, g.port)
	c.DeliveryRetryInterval = 1200 * time.Millisecond // above the second within which a denial is told once
	return open(g.t, c, rmds.SetNATSOptions(nats.UserInfo(id, id)))
}

// guardedPair is alice, who writes two channels, and bob, who reads them.
func guardedPair(t *testing.T, g *guarded) (alice, bob *rmds.Connection, secret, open2 *rmds.Channel, seen map[string]*collector) {
	t.Helper()
	dir := t.TempDir()
	alice, bob = g.open(dir, "alice"), g.open(dir, "bob")
	seen = map[string]*collector{"secret": {}, "chat": {}}
	for name, c := range seen {
		if err := bob.Join(name, rmds.ReadOnly).OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
	}
	return alice, bob, alice.Join("secret", rmds.WriteOnly), alice.Join("chat", rmds.WriteOnly), seen
}

func suspendedFor(c *rmds.Connection, channel, subject string) func() bool {
	return func() bool {
		return slices.ContainsFunc(c.Status().Suspended, func(s rmds.Suspension) bool {
			return s.Channel == channel && s.Node == "bob" && strings.Contains(s.Reason, subject)
		})
	}
}

// TestPublishingIsDenied: a channel that alice may not publish rests visibly, the other one goes on, and when it is permitted everything arrives.
func TestPublishingIsDenied(t *testing.T) {
	g := startGuarded(t, freePort(t), map[string]string{"alice": `publish: {deny: "rmds.data.secret.>"}`})
	alice, _, secret, chat, seen := guardedPair(t, g)
	for i := range 10 {
		sendAll(t, secret, numbered(i+1, i+1))
		sendAll(t, chat, numbered(i+1, i+1))
	}
	eventually(t, "the channel is suspended, with its subject named", suspendedFor(alice, "secret", "rmds.data.secret.bob.alice"))
	expect(t, "bob", seen["chat"], numbered(1, 10))
	sendAll(t, chat, numbered(11, 15))
	expect(t, "bob", seen["chat"], numbered(1, 15))
	eventually(t, "the statistic has it", func() bool {
		s := alice.Mgmt.Statistic()
		return s["denied"] > 0 && s["suspended"] == 1 && s["pending"] >= 10
	})
	if got := seen["secret"].list(); len(got) > 0 {
		t.Errorf("bob has %v of the secret channel", got)
	}
	g.allow(nil)
	expect(t, "bob", seen["secret"], numbered(1, 10))
	eventually(t, "nothing is suspended", func() bool { return len(alice.Status().Suspended) == 0 })
}

// TestSubscribingIsDenied: bob may not hear a channel: it rests at alice, visibly on both sides, until it is permitted.
func TestSubscribingIsDenied(t *testing.T) {
	g := startGuarded(t, freePort(t), map[string]string{"bob": `subscribe: {deny: "rmds.data.secret.>"}`})
	alice, bob, secret, chat, seen := guardedPair(t, g)
	sendAll(t, secret, numbered(1, 10))
	sendAll(t, chat, numbered(1, 10))
	expect(t, "bob", seen["chat"], numbered(1, 10))
	eventually(t, "the channel is suspended, with its subject named", suspendedFor(alice, "secret", "rmds.data.secret.bob.*"))
	eventually(t, "bob says which subject, and what to do", func() bool {
		return slices.ContainsFunc(bob.Status().Denied, func(d rmds.Denial) bool {
			return d.Subject == "rmds.data.secret.bob.*" && strings.Contains(d.Fix, "bob to subscribe to rmds.data.secret.bob.*")
		})
	})
	g.allow(nil)
	expect(t, "bob", seen["secret"], numbered(1, 10))
	balanced(t, alice, 10)
	eventually(t, "nothing is denied", func() bool { return len(bob.Status().Denied) == 0 && len(alice.Status().Suspended) == 0 })
}

// TestPermissionIsTakenAway in operation, and given back.
func TestPermissionIsTakenAway(t *testing.T) {
	g := startGuarded(t, freePort(t), nil)
	alice, _, secret, chat, seen := guardedPair(t, g)
	sendAll(t, secret, numbered(1, 5))
	expect(t, "bob", seen["secret"], numbered(1, 5))
	g.allow(map[string]string{"alice": `publish: {deny: "rmds.data.secret.>"}`})
	sendAll(t, secret, numbered(6, 10))
	sendAll(t, chat, numbered(1, 10))
	eventually(t, "the channel is suspended", suspendedFor(alice, "secret", "rmds.data.secret.bob.alice"))
	expect(t, "bob", seen["chat"], numbered(1, 10))
	g.allow(nil)
	expect(t, "bob", seen["secret"], numbered(1, 10))
}
