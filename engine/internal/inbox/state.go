package inbox

// States names the states that receiving lanes are in, each at most once.
func (b *Inbox) States() (names []string) {
	seen := map[string]bool{}
	note := func(name string, is bool) {
		if is && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, l := range b.all() {
		l.mu.Lock()
		note("gap", l.gap)
		note("working", l.busy)
		note("reassembling", len(l.partial) > 0)
		note("queued", len(l.queue) > 0)
		l.mu.Unlock()
		note("waiting to retry", l.retrying.Load())
	}
	return names
}
