package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// Prove returns what proves to this store, and to every copy of it, that it has once joined a sender's channel under a number. Nobody else can make it.
// It is never zero.
func (s *Store) Prove(sender ID, channel string, join uint64) (proof ID) {
	h := hmac.New(sha256.New, s.secret[:])
	h.Write([]byte("rmds join\x00"))
	h.Write(sender[:])
	h.Write(binary.BigEndian.AppendUint64(nil, join))
	h.Write([]byte(channel))
	copy(proof[:], h.Sum(nil))
	proof[0] |= 1
	return proof
}
