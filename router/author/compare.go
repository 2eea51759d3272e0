package author

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/getevo/rmds-router/plugins"
)

// compare lists what is different from what is expected of a call.
func (e *Expect) compare(o *plugins.Outcome) (problems []string) {
	want := e.Verdict
	if want == "" || want == "ack" {
		want = "pass"
	}
	if got := o.Verdict.String(); got != want {
		return []string{strings.TrimSpace(fmt.Sprintf("verdict %s, want %s %s", got, want, reason(o.Reason)))}
	}
	if !strings.Contains(o.Reason, e.Reason) {
		problems = append(problems, fmt.Sprintf("reason %q lacks %q", o.Reason, e.Reason))
	}
	if e.RetryAfter != 0 && e.RetryAfter != o.RetryAfter {
		problems = append(problems, fmt.Sprintf("retry_after %s, want %s", o.RetryAfter, e.RetryAfter))
	}
	if e.Channel != "" && e.Channel != o.Channel {
		problems = append(problems, fmt.Sprintf("channel %s, want %s", o.Channel, e.Channel))
	}
	problems = append(problems, headers("", e.Headers, o.Headers)...)
	problems = append(problems, e.Content.compare("body", o.Body)...)
	return append(problems, e.compareEmits(o.Effects.Emits)...)
}

func reason(text string) string {
	if text == "" {
		return ""
	}
	return "(" + text + ")"
}

func (e *Expect) compareEmits(got []plugins.Emit) (problems []string) {
	for i, w := range e.Emits {
		if i >= len(got) {
			problems = append(problems, fmt.Sprintf("emit %d to %s is missing", i+1, w.Channel))
			continue
		}
		g, at := got[i], fmt.Sprintf("emit %d: ", i+1)
		if w.Channel != "" && g.Channel != w.Channel {
			problems = append(problems, fmt.Sprintf("%schannel %s, want %s", at, g.Channel, w.Channel))
		}
		if w.TTL != 0 && g.TTL != w.TTL {
			problems = append(problems, fmt.Sprintf("%sttl %s, want %s", at, g.TTL, w.TTL))
		}
		if w.Delay != 0 && g.Delay != w.Delay {
			problems = append(problems, fmt.Sprintf("%sdelay %s, want %s", at, g.Delay, w.Delay))
		}
		problems = append(problems, headers(at, w.Headers, g.Headers)...)
		problems = append(problems, w.Content.compare(at+"body", g.Body)...)
	}
	for i := len(e.Emits); i < len(got); i++ {
		problems = append(problems, fmt.Sprintf("emit %d to %s is not expected: %s", i+1, got[i].Channel, shown(got[i].Body)))
	}
	return problems
}

// headers compares those that are expected.
func headers(at string, want map[string]string, got []plugins.Header) (problems []string) {
	for name, value := range want {
		found, have := "", false
		for _, h := range got {
			if h.Name == name && !have {
				found, have = h.Value, true
			}
		}
		switch {
		case !have:
			problems = append(problems, fmt.Sprintf("%sheader %s is missing, want %q", at, name, value))
		case found != value:
			problems = append(problems, fmt.Sprintf("%sheader %s is %q, want %q", at, name, found, value))
		}
	}
	return problems
}

// compare compares bytes: JSON by meaning, the rest byte for byte.
func (c *Content) compare(what string, got []byte) []string {
	want, set, _ := c.bytes()
	if !set || bytes.Equal(want, got) || (c.JSON != nil && sameJSON(want, got)) {
		return nil
	}
	if c.JSON != nil {
		want, got = indented(want), indented(got)
	}
	return []string{what + "\n" + difference(shown(want), shown(got))}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// indented writes JSON with its keys in order, a line each; what is no JSON stays.
func indented(b []byte) []byte {
	var v any
	if json.Unmarshal(b, &v) != nil {
		return b
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return b
	}
	return out
}

func shown(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}

// compared is how many lines of each text are held against each other.
const compared = 500

// difference writes the lines of both texts in a column: "-" is wanted and missing, "+" is there and not wanted.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	w, g = w[:min(len(w), compared)], g[:min(len(g), compared)]
	common := longestCommon(w, g)
	var out strings.Builder
	for i, k := 0, 0; i < len(w) || k < len(g); {
		switch {
		case i < len(w) && k < len(g) && w[i] == g[k]:
			fmt.Fprintf(&out, "  %s\n", w[i])
			i, k = i+1, k+1
		case i < len(w) && (k >= len(g) || common[i+1][k] >= common[i][k+1]):
			fmt.Fprintf(&out, "- %s\n", w[i])
			i++
		default:
			fmt.Fprintf(&out, "+ %s\n", g[k])
			k++
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// longestCommon is, for each pair of places, the length of the longest sequence of lines that both texts have from there on.
func longestCommon(a, b []string) [][]int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			if a[i] == b[k] {
				table[i][k] = table[i+1][k+1] + 1
			} else {
				table[i][k] = max(table[i+1][k], table[i][k+1])
			}
		}
	}
	return table
}

// compareLog looks for the parts of lines in order.
func (e *Expect) compareLog(got []string) []string {
	i := 0
	for _, part := range e.Log {
		for i < len(got) && !strings.Contains(got[i], part) {
			i++
		}
		if i == len(got) {
			return []string{fmt.Sprintf("the log lacks %q; it has:\n%s", part, strings.Join(got, "\n"))}
		}
		i++
	}
	return nil
}
