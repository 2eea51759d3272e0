package meter

// appendU32 is the shortest unsigned LEB128 form of v.
func appendU32(o []byte, v uint32) []byte {
	for v >= 0x80 {
		o = append(o, byte(v)|0x80)
		v >>= 7
	}
	return append(o, byte(v))
}

// appendSigned is the shortest signed LEB128 form of v.
func appendSigned(o []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(o, c)
		}
		o = append(o, c|0x80)
	}
}

func appendBytes(o, b []byte) []byte { return append(appendU32(o, uint32(len(b))), b...) }

// A weight is written in three bytes whatever its value, because it is known only after what comes behind it.
const (
	weightBytes = 3
	maxWeight   = 1<<20 - 1
)

func putWeight(o []byte, v uint32) {
	v = min(v, maxWeight)
	o[0], o[1], o[2] = byte(v)|0x80, byte(v>>7)|0x80, byte(v>>14)
}
