// Package harness is what a connection stands on, when a test replaces it: the network and the disk, and a way to end the connection as
// a crash would. It is apart from the engine's own API so that only packages below engine can make one.
package harness

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Harness replaces a connection's surroundings. Its zero value replaces nothing.
type Harness struct {
	// Dial returns the connection to the network, not yet started; nil means NATS.
	Dial func(node string) transport.Conn
	// VFS names the SQLite VFS that holds the database; "" means the operating system.
	VFS string
	// Wall is the wall clock; nil means the machine's.
	Wall func() time.Time
	// Batches are the batch versions that the node reads, and of which it writes the newest; zero means those of this program.
	Batches wire.Versions
	// Abort is set when the connection opens. It ends it as a crash would, with nothing drained and nobody told, and returns when its
	// goroutines have ended.
	Abort func()
	// States is set when the connection opens. It names what the node and its lanes are doing.
	States func() []string
}
