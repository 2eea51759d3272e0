package wire

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLegalName(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "A-b_9": true, strings.Repeat("x", 64): true, "-": true,
		"": false, strings.Repeat("x", 65): false, "a.b": false, "a b": false, "*": false, ">": false, "é": false, "a\n": false, "a\x00": false, "@": false, "[": false,
	} {
		if LegalName(s) != want {
			t.Errorf("LegalName(%q) = %v", s, !want)
		}
	}
}

var subjects = Subjects{Prefix: "rmds.", Management: "management", Discovery: "discovery", Keepalive: "keepalive"}

func TestSubjects(t *testing.T) {
	s := &subjects
	for _, c := range []struct{ got, want string }{
		{s.Data("chat", "b", "a"), "rmds.data.chat.b.a"},
		{s.Open("b", "a"), "rmds.open.b.a"},
		{s.Status("a", "b"), "rmds.status.a.b"},
		{s.KeepaliveFrom("chat", "a"), "rmds.keepalive.chat.a"},
		{s.DiscoveryFrom("a"), "rmds.discovery.a"},
		{s.ManagementFrom("b", "a"), "rmds.management.b.a"},
		{s.DataOn("c", "b"), "rmds.data.c.b.*"},
		{s.OpenTo("b"), "rmds.open.b.*"},
		{s.StatusTo("a"), "rmds.status.a.*"},
		{s.KeepaliveOn("chat"), "rmds.keepalive.chat.*"},
		{s.DiscoveryAll(), "rmds.discovery.*"},
		{s.ManagementTo("b"), "rmds.management.b.*"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

func TestSubjectsParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := subjects
		s.Prefix = rapid.SampledFrom([]string{"", "rmds.", "a.b."}).Draw(t, "prefix")
		channel, to, from := genName.Draw(t, "channel"), genName.Draw(t, "to"), genName.Draw(t, "from")
		for subject, want := range map[string]Address{
			s.Data(channel, to, from):      {SubjectData, channel, to, from},
			s.Open(to, from):               {SubjectOpen, "", to, from},
			s.Status(to, from):             {SubjectStatus, "", to, from},
			s.KeepaliveFrom(channel, from): {SubjectKeepalive, channel, "", from},
			s.DiscoveryFrom(from):          {SubjectDiscovery, "", "", from},
			s.ManagementFrom(to, from):     {SubjectManagement, "", to, from},
		} {
			if got, ok := s.Parse(subject); !ok || got != want {
				t.Fatalf("%s: %+v %v", subject, got, ok)
			}
			if _, ok := s.Parse(subject + ".x"); ok {
				t.Fatalf("%s.x was taken", subject)
			}
		}
	})
	for _, subject := range []string{"", "rmds", "rmds.", "rmds.data", "rmds.data.a.b", "rmds.data.a.b.", "rmds.data..b.c", "rmds.data.*.b.c", "rmds.open.b.a b", "other.open.b.a", "rmds.cast.a.b", "rmds.discovery.", "rmds.keepalive.a", "rmds.status.a.b.c"} {
		if a, ok := subjects.Parse(subject); ok {
			t.Errorf("%q was taken: %+v", subject, a)
		}
	}
	subject := subjects.Data("chat", "b", "a")
	if n := testing.AllocsPerRun(100, func() { subjects.Parse(subject) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSubjectsCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Subjects)
		ok     bool
	}{
		"default":               {func(*Subjects) {}, true},
		"no prefix":             {func(s *Subjects) { s.Prefix = "" }, true},
		"prefix of two tokens":  {func(s *Subjects) { s.Prefix = "a.b." }, true},
		"prefix without dot":    {func(s *Subjects) { s.Prefix = "rmds" }, false},
		"prefix of a dot":       {func(s *Subjects) { s.Prefix = "." }, false},
		"prefix with wildcard":  {func(s *Subjects) { s.Prefix = "*." }, false},
		"prefix with two dots":  {func(s *Subjects) { s.Prefix = "a..b." }, false},
		"token that is a frame": {func(s *Subjects) { s.Discovery = "data" }, false},
		"token kept free":       {func(s *Subjects) { s.Discovery = "cast" }, false},
		"token twice":           {func(s *Subjects) { s.Discovery = "keepalive" }, false},
		"no token":              {func(s *Subjects) { s.Management = "" }, false},
		"token with a dot":      {func(s *Subjects) { s.Management = "a.b" }, false},
	} {
		s := subjects
		c.change(&s)
		if err := s.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSubjects) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMessageID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, run, seq := genID.Draw(t, "store"), genID.Draw(t, "run"), rapid.Uint64().Draw(t, "seq")
		text := string(AppendMessageID(nil, store, run, seq))
		if len(text) != MessageIDSize {
			t.Fatalf("%d bytes", len(text))
		}
		s, r, n, err := ParseMessageID(text)
		if err != nil || s != store || r != run || n != seq {
			t.Fatalf("%s: %v", text, err)
		}
	})
	good := string(AppendMessageID(nil, exampleID(0), exampleID(9), 5))
	for _, text := range []string{"", good[:54], good + "A", good[:54] + "=", good[:54] + "\n", good[:54] + "B", "+" + good[1:], "m+" + good[2:], good[:51] + "\r\n\r\n"} {
		if _, _, _, err := ParseMessageID(text); !errors.Is(err, ErrMessageID) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
