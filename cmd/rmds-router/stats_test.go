package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/getevo/rmds-router/router/admin"
)

// TestStatsShowWhatIsSuspended prints a status with every kind of trouble.
func TestStatsShowWhatIsSuspended(t *testing.T) {
	s := &admin.Status{Node: "n", Conflict: "another n", StorageTrouble: &admin.StorageTrouble{Kind: "disk_full", Detail: "make room\x1b", ForS: 3725},
		Suspended: []admin.Suspended{{Channel: "chat", Reader: "bob", Reason: "NATS does not permit it: allow rmds.data.chat.bob.n", ForS: 61.2}},
		Denied:    []admin.Denied{{Subject: "rmds.discovery.n", Fix: "allow it to publish", ForS: 5}},
		Plugins:   []admin.Plugin{{Name: "p", State: "suspended for 2s more: the last 9 calls failed; its messages wait", Suspended: true}}}
	var out strings.Builder
	if err := printStats(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`STOPPED +another n\n`, `STORAGE +takes no messages, for 1h2m5s now: make room\\x1b\n`, `SUSPENDED +READER +FOR +REASON\nchat +bob +1m1s +NATS does not permit it: allow`,
		`DENIED BY NATS +FOR +WAY OUT\nrmds.discovery.n +5s +allow it to publish\n`, `\np +0 +0 +- +- +suspended for 2s more`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("there is nothing like %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := printStats(&out, &admin.Status{Node: "n"}); err != nil || strings.Contains(out.String(), "STORAGE") || strings.Contains(out.String(), "SUSPENDED") || strings.Contains(out.String(), "DENIED") {
		t.Errorf("%v, a node without troubles shows\n%s", err, out.String())
	}
}
