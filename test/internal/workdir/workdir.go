// Package workdir gives tests a folder that outlives them if they fail.
package workdir

import (
	"os"
	"testing"
)

// New makes a folder that is removed after the test. If that failed it is kept, and the test says where.
func New(t *testing.T) string {
	t.Helper()
	work, err := os.MkdirTemp("", "rmds-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs and databases are kept in %s", work)
		} else if err := os.RemoveAll(work); err != nil {
			t.Error(err)
		}
	})
	return work
}
