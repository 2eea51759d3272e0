// Package rmds is for writing plugins of RMDS Router in Go. A plugin registers what it does in an init function; its main is never called:
//
//	package main
//
//	import rmds "github.com/getevo/rmds-router/sdk/go"
//
//	func init() {
//		rmds.Handle(func(m *rmds.Message) rmds.Verdict {
//			if _, err := rmds.Add("messages", 1); err != nil {
//				return rmds.Dead(err.Error())
//			}
//			return rmds.Ack
//		})
//	}
//
//	func main() {}
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w' -o plugin.wasm .
//
// Emits, keys and changes of the message are effects: they are committed together with the message when the verdict is Ack, Pass or Drop, and otherwise
// not at all. Instances of a plugin come and go without notice: variables are a cache, what has to last is a key. Goroutines run only while a call does.
// A panic ends the call with its text, file and line as the reason; effects are discarded.
//
// On other platforms than wasip1 the package compiles, so that a plugin's own functions can be tested natively, but whatever needs the
// router answers ErrMisplaced or nothing.
package rmds
