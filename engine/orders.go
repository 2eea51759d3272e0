package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/getevo/rmds-router/engine/internal/node"
)

// AnswerTimeout is how long Kick, KickChannel and the purges wait for the other nodes' answers.
const AnswerTimeout = node.Patience

// Scope limits a purge.
type Scope uint8

// Self limits a purge to this node.
const Self Scope = 1

// NodeError says why one node has not obeyed an order. Err wraps ErrNoAnswer if it did not answer within AnswerTimeout: it may have obeyed or may yet;
// ErrRefused if it answered that it could not; or another error of this package if it is this node's own.
type NodeError struct {
	Node string
	Err  error
}

func (e *NodeError) Error() string { return fmt.Sprintf("node %s: %v", e.Node, e.Err) }

// Unwrap returns Err.
func (e *NodeError) Unwrap() error { return e.Err }

// OrderError lists the nodes that have not obeyed an order: this node first, then by id. Every other node that was online has obeyed.
type OrderError []*NodeError

func (e OrderError) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.Error()
	}
	return "not every node has obeyed: " + strings.Join(texts, "; ")
}

// Unwrap returns the nodes' errors.
func (e OrderError) Unwrap() []error {
	list := make([]error, len(e))
	for i, one := range e {
		list[i] = one
	}
	return list
}

func orderError(failures []node.Failure) error {
	if len(failures) == 0 {
		return nil
	}
	var e OrderError
	for _, f := range failures {
		e = append(e, &NodeError{f.Node, publicError(f.Err)})
	}
	return e
}

// PurgeQueue removes what is pending: it ends as purged, and counts as pending until its readers have confirmed that. It does so
// on this node and on every node that is online, or with Self on this one only; a node that is offline is not told when it returns. While NATS
// is down the nodes that were online last count as online, and do not answer. The call returns when all have obeyed or AnswerTimeout is over; the error is an OrderError. Nodes are asked until they answer, and obey an order
// once, however often they are asked.
func (m *Management) PurgeQueue(scope ...Scope) error { return m.purge(node.PurgeQueue, scope) }

// PurgeSent removes what is delivered and only retained, where and as PurgeQueue does.
func (m *Management) PurgeSent(scope ...Scope) error { return m.purge(node.PurgeSent, scope) }

// PurgeAll does both.
func (m *Management) PurgeAll(scope ...Scope) error { return m.purge(node.PurgeAll, scope) }

func (m *Management) purge(p node.Purge, scope []Scope) error {
	return orderError(m.c.node.Purge(p, slices.Contains(scope, Self)))
}

// Kick ends every join of a node, here, at the node, and at every other node that is online: what waits for it counts as removed, and only joining
// anew brings it back. A node that is offline, the kicked one too, obeys when it returns and meets a node that has. The error wraps ErrLeft if the
// node has no join that is known here; else it is an OrderError, and the call returns as PurgeQueue does.
func (m *Management) Kick(id string) error { return m.kick(id, nil) }

// KickChannel ends a node's joins to the channels named, or to all that this node shares with it. Errors are as Kick's.
func (m *Management) KickChannel(id string, channels ...string) error {
	if len(channels) == 0 {
		for _, j := range m.c.node.Joins() {
			channels = append(channels, j.Channel)
		}
	}
	if len(channels) == 0 {
		return fmt.Errorf("kick %s: %w: this node has joined no channel, so it shares none", id, ErrLeft)
	}
	return m.kick(id, channels)
}

func (m *Management) kick(id string, channels []string) error {
	failures, err := m.c.node.Kick(id, channels)
	if err != nil {
		return publicError(err)
	}
	return orderError(failures)
}

// AuditRecord is an order that this node gave or obeyed, and what came of it.
type AuditRecord struct {
	ID      int64     // grows from one record to the next
	Time    time.Time // this node's wall clock when it was put on record
	By      string    // the node that gave the order
	Action  string    // what was ordered, for people
	Outcome string    // what came of it, for people
	Failed  bool      // a node did not obey, or is not known to have
	Over    bool      // the outcome is final; else the order was under way
}

// Audit lists the newest 1,000 orders that this node gave or obeyed, newest first. A record commits with what the order did
// to the database, wherever that is one transaction; the record is durable.
func (m *Management) Audit() ([]AuditRecord, error) {
	entries, err := m.c.node.Audit()
	if err != nil {
		return nil, publicError(err)
	}
	list := make([]AuditRecord, len(entries))
	for i, e := range entries {
		list[i] = AuditRecord{ID: e.ID, Time: time.UnixMilli(e.Wall), By: e.Node, Action: e.Action, Outcome: e.Outcome, Failed: e.Failed, Over: e.Over}
	}
	return list, nil
}
