package sim

import (
	"bytes"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// content is what a message with a key holds: the key, its length by a number, and noise that follows from the key.
func content(key string, size int) []byte {
	b := append([]byte(key), '|')
	b = strconv.AppendInt(b, int64(size), 10)
	b = append(b, '|')
	draw := keyed(0, key)
	for i := 0; i < size; i += 8 {
		v := draw.Uint64()
		if i/8%2 == 0 { // so that compression has something to do
			v &= 0x0101010101010101
		}
		for range min(8, size-i) {
			b = append(b, byte(v))
			v >>= 8
		}
	}
	return b
}

// keyOf reads a message's key, and tells whether the message is as it was made.
func keyOf(data []byte) (key string, whole bool) {
	k, rest, ok := strings.Cut(string(data[:min(len(data), 200)]), "|")
	if !ok {
		return "", false
	}
	number, _, ok := strings.Cut(rest, "|")
	size, err := strconv.Atoi(number)
	if !ok || err != nil || size < 0 || size > len(data) {
		return k, false
	}
	return k, bytes.Equal(data, content(k, size))
}

// keyed draws what depends on nothing but the seed and some names.
func keyed(seed uint64, names ...string) *rand.Rand {
	h := fnv.New64a()
	for _, n := range names {
		_, _ = h.Write([]byte(n))
		_, _ = h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
