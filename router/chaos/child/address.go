package child

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreeAddress returns an address on the loopback interface that nothing listens at. Its port is below those that systems hand
// out for outgoing connections, so that none of those takes it while its program is down.
func FreeAddress() (string, error) {
	var err error
	for range 200 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(20_000)))
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
