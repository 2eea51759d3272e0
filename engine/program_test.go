package engine_test

import (
	"fmt"
	"testing"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
)

// TestTheProgramOfTheDocs runs the API's introductory program as it stands, but for the server's port, which others may use, and a second node
// that sees what it does.
func TestTheProgramOfTheDocs(t *testing.T) {
	t.Chdir(t.TempDir())
	port := freePort(t)
	startNATS(t, port)
	other := &collector{}
	c := testConfig(t, t.TempDir(), "node-4", port)
	fourth := open(t, c)
	if err := fourth.Join("my-channel", rmds.ReadOnly).OnMessage(other.handle); err != nil {
		t.Fatal(err)
	}
	var stats map[string]int64
	var err error
	program := func() {
		config := rmds.DefaultConfig()
		config.NodeID = "node-1"
		config.NATSServers = []string{fmt.Sprintf("nats://localhost:%d", port)}
		connection, e := rmds.New(config)
		if e != nil {
			t.Fatal(e)
		}
		defer connection.Unsubscribe()
		channel := connection.Join("my-channel", rmds.RW)
		channel.OnMessage(func(m *rmds.Message) {
			m.Ack()
		})
		err = channel.SendMessage([]byte("bytes"))
		if err != nil {
			t.Fatal(err)
		}
		err = channel.SendMessage("urgent", rmds.Timeout(10*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "node-4", other, []string{"bytes", "urgent"})
		eventually(t, "both nodes are known", func() bool { return len(connection.Mgmt.Nodes()) == 2 })
		m := connection.Mgmt
		if topology := m.Topology(); len(topology["node-4"]) != 1 || len(topology["node-1"]) != 1 {
			t.Errorf("topology %v", topology)
		}
		if list := m.Channels(); len(list) != 1 || list[0] != "my-channel" {
			t.Errorf("channels %v", list)
		}
		if list := m.GetSubscribers("my-channel"); len(list) != 2 {
			t.Errorf("subscribers %v", list)
		}
		eventually(t, "both messages are delivered", func() bool { stats = m.Statistic(); return stats["delivered"] == 2 })
		m.Kick("node-4")
		m.KickChannel("node-4")
		eventually(t, "node-4 is out", func() bool { return fourth.Channel("my-channel") == nil })
		m.PurgeAll()
		m.PurgeSent(rmds.Self)
		m.PurgeQueue()
		channel.Unsubscribe()
		if err := channel.SendMessage("late"); err == nil {
			t.Error("a send after leaving the channel gives no error")
		}
	}
	program()
	if stats["queued"] != 2 || stats["dropped"] != 0 || stats["pending"] != 0 {
		t.Errorf("statistic %v", stats)
	}
}

func TestKickedReaderReturnsOnlyByJoiningAnew(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	alice := open(t, testConfig(t, dir, "alice", port))
	chat := alice.Join("chat", rmds.WriteOnly)
	c := &collector{}
	bob := open(t, testConfig(t, dir, "bob", port))
	if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	sendAll(t, chat, numbered(1, 3))
	expect(t, "bob", c, numbered(1, 3))
	if err := alice.Mgmt.Kick("bob"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob is out", func() bool { return bob.Channel("chat") == nil })
	sendAll(t, chat, numbered(4, 5))
	if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new join is on record", func() bool {
		accounts := alice.Accounts()
		return len(accounts) == 2 && !accounts[1].Ended
	})
	sendAll(t, chat, numbered(6, 7))
	eventually(t, "bob is up to date", func() bool { l := c.list(); return len(l) > 0 && l[len(l)-1] == "message 7" })
	for _, a := range alice.Accounts() {
		if !a.Balanced() {
			t.Errorf("account %+v does not balance", a)
		}
	}
}

func TestPurgedQueueIsNotDelivered(t *testing.T) {
	port := freePort(t)
	dir := t.TempDir()
	startNATS(t, port)
	alice := open(t, testConfig(t, dir, "alice", port))
	chat := alice.Join("chat", rmds.WriteOnly)
	c := &collector{}
	bob, err := rmds.New(testConfig(t, dir, "bob", port))
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	sendAll(t, chat, numbered(1, 2))
	expect(t, "bob", c, numbered(1, 2))
	if err := bob.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, chat, numbered(3, 50))
	if err := alice.Mgmt.PurgeQueue(rmds.Self); err != nil {
		t.Fatal(err)
	}
	sendAll(t, chat, numbered(51, 52))
	if err := open(t, testConfig(t, dir, "bob", port)).Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	expect(t, "bob", c, append(numbered(1, 2), numbered(51, 52)...))
	eventually(t, "the purge is confirmed", func() bool { return alice.Accounts()[0].Pending == 0 })
	if a := alice.Accounts()[0]; a.Purged != 48 || a.Handled != 4 || !a.Balanced() {
		t.Errorf("account %+v", a)
	}
}
