package imports

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// rule forbids imports. Patterns are import paths; "/..." at the end takes the packages below with it, and a pattern that
// starts with "./" is inside the module.
type rule struct {
	from   []string // the packages that the rule binds
	except []string // those among them that it does not
	never  []string // what they must not import
	allow  []string // what they may import although never covers it
	deep   bool     // also through other packages
	reason string   // completes "forbidden because"

	planted graph // a violation; the rule must find it
}

// check returns a line for every violation of the rule in the graph, in a stable order.
func (r rule) check(g graph) []string {
	var found []string
	for _, p := range slices.Sorted(own(g)) {
		if !matchesAny(r.from, p) || matchesAny(r.except, p) {
			continue
		}
		for _, chain := range r.chains(g, p) {
			found = append(found, strings.Join(chain, " → "))
		}
	}
	return found
}

// chains returns, for each forbidden package that p reaches, the shortest chain of imports from p to it.
func (r rule) chains(g graph, p string) [][]string {
	var found [][]string
	cameFrom := map[string]string{p: ""}
	for queue := []string{p}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, to := range g[at] {
			if _, seen := cameFrom[to]; seen {
				continue
			}
			cameFrom[to] = at
			if matchesAny(r.never, to) && !matchesAny(r.allow, to) {
				found = append(found, chainTo(cameFrom, to))
				continue
			}
			if r.deep {
				queue = append(queue, to)
			}
		}
	}
	return found
}

func chainTo(cameFrom map[string]string, to string) []string {
	var chain []string
	for at := to; at != ""; at = cameFrom[at] {
		chain = append(chain, strings.TrimPrefix(at, module+"/"))
	}
	slices.Reverse(chain)
	return chain
}

// own yields the module's own packages.
func own(g graph) iter.Seq[string] {
	return func(yield func(string) bool) {
		for p := range maps.Keys(g) {
			if matches("./...", p) && !yield(p) {
				return
			}
		}
	}
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

func matches(pattern, path string) bool {
	if inside, ok := strings.CutPrefix(pattern, "./"); ok {
		pattern = module + "/" + inside
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

// imports makes the graph of one import, for planting. The names are patterns without "...".
func imports(from string, chain ...string) graph {
	g := graph{}
	at := full(from)
	for _, to := range chain {
		g[at] = []string{full(to)}
		at = full(to)
	}
	return g
}

func full(name string) string {
	if inside, ok := strings.CutPrefix(name, "./"); ok {
		return module + "/" + inside
	}
	return name
}
