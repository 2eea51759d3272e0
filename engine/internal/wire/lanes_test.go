package wire

import (
	"bytes"
	"testing"
)

// TestSealHeadIsTheStartOfTheBatch: a batch that is written in parts is the one that SealBatch makes.
func TestSealHeadIsTheStartOfTheBatch(t *testing.T) {
	head, segments := exampleHead(), exampleSegments()
	got := append(SealHead(head, segments), bytes.Join(segments, nil)...)
	if want := SealBatch(nil, head, segments, false); !bytes.Equal(got, want) {
		t.Errorf("head and segments are\n%x, want\n%x", got, want)
	}
	if _, err := ParseBatch(got); err != nil {
		t.Error(err)
	}
}

// TestPeersOfSubjects: what is for one peer, and what comes from one, is told from what is for or from many.
func TestPeersOfSubjects(t *testing.T) {
	s := Subjects{Prefix: "a.b.", Management: "management", Discovery: "discovery", Keepalive: "keepalive"}
	for subject, want := range map[string]string{
		s.Data("chat", "bob", "alice"):   "bob",
		s.Open("bob", "alice"):           "bob",
		s.Status("alice", "bob"):         "alice",
		s.DiscoveryFrom("alice"):         "",
		s.KeepaliveFrom("chat", "alice"): "",
		s.ManagementFrom("bob", "alice"): "",
		"a.b.data":                       "",
		"a.b.data.chat":                  "",
		"data.chat.bob.alice":            "",
		"":                               "",
	} {
		if got, ok := s.PeerTo(subject); got != want || ok != (want != "") {
			t.Errorf("%q is for %q, %v; want %q", subject, got, ok, want)
		}
	}
	for pattern, want := range map[string]string{
		s.Data("chat", "bob", "alice"): "alice",
		s.Status("bob", "alice"):       "alice",
		s.DataOn("chat", "bob"):        "",
		s.OpenTo("bob"):                "",
		s.StatusTo("bob"):              "",
		s.DiscoveryAll():               "",
		s.KeepaliveOn("chat"):          "",
	} {
		if got, ok := s.PeerFrom(pattern); ok != (want != "") || ok && got != want {
			t.Errorf("%q is from %q, %v; want %q", pattern, got, ok, want)
		}
	}
}
