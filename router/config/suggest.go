package config

import (
	"fmt"
	"strings"
)

// suggest returns `; did you mean "x"?` for the candidate nearest to word, or "" when none is near.
func suggest(word string, candidates []string) string {
	if short := beginning(word, candidates); short != "" {
		return fmt.Sprintf("; did you mean %q?", short)
	}
	best, distance := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := editDistance(word, c); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// beginning returns the one candidate that word is the beginning of, as in mem for memory, or "".
func beginning(word string, candidates []string) string {
	found := ""
	for _, c := range candidates {
		if len(word) < 2 || !strings.HasPrefix(c, word) {
			continue
		}
		if found != "" {
			return ""
		}
		found = c
	}
	return found
}

// editDistance counts the letters to insert, remove, replace or swap with a neighbour to make b of a.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var before []int
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current := make([]int, len(b)+1)
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous = previous, current
	}
	return previous[len(b)]
}
