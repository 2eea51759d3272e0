package sim

import (
	"strings"
	"testing"
)

// TestAnEmptyCellIsFound leaves one cell out of a table in which every fault meets every state.
func TestAnEmptyCellIsFound(t *testing.T) {
	counts := map[met]int{}
	for _, f := range faults {
		for _, s := range states {
			counts[met{f.name, s}] = 100
		}
	}
	if text, empty := table(counts, 1); len(empty) > 0 {
		t.Errorf("a full table has empty cells: %v%s", empty, text)
	}
	delete(counts, met{"kill", "gap"})
	if text, empty := table(counts, 1); len(empty) != 1 || empty[0] != "kill × gap" {
		t.Errorf("the empty cell is not found: %v%s", empty, text)
	}
	for m := range counts {
		counts[m] = 1
	}
	if text, empty := table(counts, 1); len(empty) > 0 || !strings.Contains(text, "(0)") {
		t.Errorf("a cell is called empty though nothing came often: %v%s", empty, text)
	}
	if text, empty := table(counts, all); len(empty) != 1 || empty[0] != "kill × gap" {
		t.Errorf("with many seeds the empty cell is not found, however rare: %v%s", empty, text)
	}
}
