// Command gosdk is a plugin that fails in every way a Go program can, for a test in the host; ../../../sdk/vectors/go does what works. A body says how.
package main

import rmds "github.com/getevo/rmds-router/sdk/go"

func init() {
	rmds.Handle(func(m *rmds.Message) rmds.Verdict {
		switch string(m.Body()) {
		case "panic":
			panic("on purpose")
		case "index":
			return rmds.Verdict([]int{}[m.Size()])
		case "exhaust":
			var kept [][]byte
			for {
				kept = append(kept, make([]byte, 1<<20))
				kept[len(kept)-1][0] = 1
			}
		case "spin":
			for {
			}
		}
		return rmds.Ack
	})
}

func main() {}
