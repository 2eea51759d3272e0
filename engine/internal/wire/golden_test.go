package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The bytes of every format stay what they are: a change that shows up here needs a new version number, and a change in docs/protocol.md.
func TestGolden(t *testing.T) {
	one, err := SealOne(nil, &exampleMessages()[2])
	if err != nil {
		t.Fatal(err)
	}
	response := exampleManagement()
	response.Response = true
	for name, got := range map[string][]byte{
		"segment":      exampleSegments()[0],
		"message":      one,
		"batch":        exampleBatch(),
		"open":         exampleOpen().Append(nil),
		"data":         exampleData().Append(nil),
		"piece":        examplePiece().Append(nil),
		"status":       exampleStatus().Append(nil),
		"announcement": exampleAnnouncement().Append(nil),
		"request":      exampleManagement().Append(nil),
		"response":     response.Append(nil),
		"message-id":   AppendMessageID(nil, exampleID(0), exampleID(0x10), 300),
	} {
		if *update {
			writeGolden(t, name, got)
			continue
		}
		if want := readGolden(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x, want\n%x", name, got, want)
		}
	}
}

// What the golden files hold is read back as what it was made from; compressed bodies too, whose bytes depend on the compressor's version.
func TestGoldenReads(t *testing.T) {
	for name, want := range map[string]frame{
		"open": exampleOpen(), "data": exampleData(), "piece": examplePiece(), "status": exampleStatus(),
		"announcement": exampleAnnouncement(), "request": exampleManagement(),
	} {
		for _, k := range frameKinds {
			got := k.empty()
			if got.Parse(readGolden(t, name)) == nil && !same(got, want) {
				t.Errorf("%s: %s", name, show(got))
			}
		}
	}
	checkBatch(t, readGolden(t, "batch"), exampleHead(), exampleMessages())
	packed, head, messages := compressibleBatch()
	if *update {
		writeGolden(t, "batch-snappy", packed)
	}
	packed = readGolden(t, "batch-snappy")
	if packed[batchFixed] != batchSnappy {
		t.Error("batch-snappy is not compressed")
	}
	checkBatch(t, packed, head, messages)
}

func writeGolden(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join("testdata", name+".hex"), []byte(lines(hex.EncodeToString(b))), 0o666); err != nil {
		t.Fatal(err)
	}
}

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lines(s string) string {
	var b strings.Builder
	for len(s) > 64 {
		b.WriteString(s[:64] + "\n")
		s = s[64:]
	}
	return b.String() + s + "\n"
}
