package wire

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// MessageIDSize is the length of a message id in bytes of text.
const MessageIDSize = 1 + 54

// idMark begins every id, so that none looks like an option on a command line.
const idMark = 'm'

var idText = base64.RawURLEncoding.Strict()

// AppendMessageID appends the text form of a message's name: an m, and then base64url, without padding, of store, run and the sequence in
// big-endian order. One message has one text, and the text never changes.
func AppendMessageID(dst []byte, store, run ID, seq uint64) []byte {
	var raw [40]byte
	copy(raw[:], store[:])
	copy(raw[16:], run[:])
	binary.BigEndian.PutUint64(raw[32:], seq)
	return idText.AppendEncode(append(dst, idMark), raw[:])
}

// ParseMessageID reads the text form back. Errors wrap ErrMessageID.
func ParseMessageID(text string) (store, run ID, seq uint64, err error) {
	var raw [40]byte
	if len(text) != MessageIDSize {
		return ID{}, ID{}, 0, fmt.Errorf("%w: %d characters instead of %d", ErrMessageID, len(text), MessageIDSize)
	}
	n, err := idText.Decode(raw[:], []byte(text[1:]))
	if err != nil || n != len(raw) || text[0] != idMark {
		return ID{}, ID{}, 0, fmt.Errorf("%w: not an m and base64url", ErrMessageID)
	}
	copy(store[:], raw[:])
	copy(run[:], raw[16:])
	return store, run, binary.BigEndian.Uint64(raw[32:]), nil
}
