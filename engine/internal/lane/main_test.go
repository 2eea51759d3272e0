package lane

import (
	"flag"
	"os"
	"testing"
)

// TestMain runs more and longer checks than rapid's defaults: they cost microseconds each.
func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string]string{"rapid.checks": "1500", "rapid.steps": "80"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
