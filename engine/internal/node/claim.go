package node

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// claimWithin is how long an instance waits for another one's answer before it takes the node id. An answer that comes later counts as well:
// it is the answer that fences, and this only spares the network a moment of confusion.
const claimWithin = 150 * time.Millisecond

// answerAgain is the least time between two proofs of life that nothing but proofs of life ask for.
const answerAgain = time.Second

// claim is an instance's claim to its node id. The membership goroutine alone changes it, under Node.mu; Node.fenced and Node.claimed are
// there for everyone.
//
// Every instance asks, when it connects, whether another one has its id. A live instance answers with the asker's run, so a frame of a dead
// one that comes late proves nothing: a restart is never taken for a clone. The better claim goes on, the other instance is fenced; equal claims fence both.
// A fenced instance goes on to say that it is there, so that both know when the conflict ends: with a goodbye, or with silence.
type claim struct {
	level      uint8 // see wire.MaxClaim; it stays as it is while there is a rival
	asking     bool  // the first claim is being made
	rival      *rival
	answeredAt time.Duration
}

// rival is another live instance of this node's id.
type rival struct {
	run, store wire.ID
	level      uint8
	heardAt    time.Duration
}

// loses tells whether the rival's claim is as good, or better.
func (c *claim) loses() bool { return c.rival != nil && c.level <= c.rival.level }

// Conflict says, for people, why another instance keeps this one from sending and taking data; empty while none does.
func (n *Node) Conflict() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.claim
	if !c.loses() {
		return ""
	}
	why := "the other one was here first"
	if c.level == c.rival.level {
		why = "neither was here first, so both stand back"
	}
	return fmt.Sprintf("another instance of node %s runs on store %s; %s. Stop one of them, or give it another id", n.id, hex.EncodeToString(c.rival.store[:]), why)
}

// quiet tells whether nothing may be sent to others or taken from them. That an instance has no claim yet counts, however short it has been
// connected: what it said before it asked, the others would go by.
func (n *Node) quiet() bool { return n.fenced.Load() || !n.claimed.Load() }

// standsBack tells whether nothing may be taken from a node: what this one has for itself is taken until it is known to be fenced.
func (n *Node) standsBack(from string) bool {
	return n.fenced.Load() || from != n.id && !n.claimed.Load()
}

// stake begins to claim the node id: it asks who else has it, and waits for the answer.
func (n *Node) stake(t *ticks) {
	n.mu.Lock()
	c := &n.claim
	begin := c.level == 0 && c.rival == nil && n.connected.Load() && !c.asking
	c.asking = c.asking || begin
	n.mu.Unlock()
	if begin {
		t.claim.Reset(claimWithin)
	}
}

// staked is the end of the wait.
func (n *Node) staked() {
	n.mu.Lock()
	won := n.claim.rival == nil && n.connected.Load()
	n.claim.asking = false
	if won {
		n.claim.level = max(n.claim.level, 1)
	}
	n.mu.Unlock()
	if won {
		n.claimed.Store(true)
		n.announce(false)
		n.reconcileAll()
	}
}

// contest takes an announcement of another instance with this node's id.
func (n *Node) contest(a *wire.Announcement, t *ticks) {
	now := n.now()
	n.mu.Lock()
	c := &n.claim
	live := a.Rival == n.store.Run()
	known := c.rival != nil && c.rival.run == a.Run
	switch {
	case a.Goodbye && known:
		c.rival = nil
	case a.Goodbye:
	case live || known:
		c.rival = &rival{run: a.Run, store: a.Store, level: a.Claim, heardAt: now}
	}
	answer := !a.Goodbye && (!live || now-c.answeredAt >= answerAgain)
	n.mu.Unlock()
	if live && !known && !a.Goodbye {
		n.log.Error().Hex("store", a.Store[:]).Hex("run", a.Run[:]).Msg("another live instance has this node's id: is it started twice, or was its disk copied?")
	}
	n.judge(t)
	if answer {
		n.answerRival(a.Run)
	}
}

// answerRival proves to another instance that this one lives.
func (n *Node) answerRival(run wire.ID) {
	n.mu.Lock()
	n.claim.answeredAt = n.now()
	n.mu.Unlock()
	a := n.self(n.Joins())
	a.Rival = run
	n.tell(n.opt.Subjects.DiscoveryFrom(n.id), a)
}

// judge fences this instance, or lets it go on, after its claim or its rival's changed.
func (n *Node) judge(t *ticks) {
	n.mu.Lock()
	loses, tie, alone := n.claim.loses(), n.claim.rival != nil && n.claim.level == n.claim.rival.level, n.claim.rival == nil
	n.mu.Unlock()
	switch was := n.fenced.Swap(loses); {
	case loses && !was:
		n.log.Error().Bool("tie", tie).Msg("this instance neither sends nor takes data until the other one with its node id is gone; what is sent here is kept")
		n.announce(false) // the others wait for whoever is right
		n.reconcileAll()
	case !loses && was:
		n.log.Warn().Bool("alone", alone).Msg("the other instance with this node's id is gone; this one goes on")
		n.asked.Store(true)
		n.changed(t)
	}
}

// watch gives a rival up that is silent, and makes a claim better that was not contested for long.
func (n *Node) watch(t *ticks) {
	n.mu.Lock()
	c := &n.claim
	if c.rival != nil && n.connected.Load() && n.now()-c.rival.heardAt >= n.opt.Offline+n.opt.Keepalive {
		c.rival = nil
	}
	if c.rival == nil && c.level > 0 && n.settled.Load() {
		c.level = wire.MaxClaim
	}
	n.mu.Unlock()
	n.judge(t)
}

// stands tells whether a peer's announcement is one to go by. An instance that stands back is not there, for the others: if it was, it is
// gone.
func (n *Node) stands(a *wire.Announcement, t *ticks) bool {
	if !a.Fenced {
		return true
	}
	if a.Ask {
		t.answerSoon()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.view.Peer(a.Node)
	a.Goodbye = p != nil && p.Run == a.Run
	return a.Goodbye
}
