//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

var (
	chosen, after = choose(os.Getenv(Variable))
	passed        atomic.Int64
)

func choose(text string) (name string, after int64) {
	name, count, _ := strings.Cut(text, ":")
	after, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		after = 1
	}
	return name, after
}

// Pass ends the process if this place is the chosen one and was passed as often as it takes. It then does not return.
func Pass(name string) {
	if name != chosen || passed.Add(1) != after {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		os.Exit(3) // not as sudden, but an end
	}
	select {}
}
