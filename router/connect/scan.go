package connect

import (
	"os"
	"path/filepath"
	"slices"
)

// reclaim opens the files that were being read when the process ended, under whatever name they have now.
func (f *follow) reclaim() {
	for path, first := range f.places {
		queue := append([]place{first}, first.Next...)
		for i, p := range queue {
			p.Next = nil
			file, id := find(path, p)
			switch {
			case file != nil:
				p.identity = id
				f.tails = append(f.tails, newTail(f, path, file, p))
				delete(f.places, path)
			case i < len(queue)-1:
				f.log.Warn().Str("file", path).Int64("was_at", p.Offset).Msg("a file that was rotated away is not there any more; what it still held is lost")
			default:
				f.places[path] = p // for what stands there now
			}
		}
	}
}

// find opens the file that p is a place in: the one at path or one beside it. It returns nil if there is none.
func find(path string, p place) (*os.File, identity) {
	for _, candidate := range append([]string{path}, neighbours(path)...) {
		if info, err := os.Stat(candidate); err != nil || !p.same(identityOf(info)) {
			continue
		}
		file, info, err := openRegular(candidate)
		if err != nil {
			continue
		}
		if id := identityOf(info); p.same(id) && p.fits(file, info.Size()) {
			return file, id
		}
		file.Close() // only read from
	}
	return nil, identity{}
}

// neighbours are the files beside path, one of which a rotation may have made of it.
func neighbours(path string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != filepath.Base(path) {
			out = append(out, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return out
}

// scan sees which file stands at every path: one that is open under another name keeps its place under the new one, and one that is
// not open yet is opened, behind those that stood there before.
func (f *follow) scan() {
	paths, err := filepath.Glob(f.Path)
	if err != nil || len(paths) == 0 {
		paths = []string{f.Path}
	}
	slices.Sort(paths)
	there := map[string]identity{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			there[path] = identityOf(info)
		}
	}
	f.renamed(paths, there)
	for _, path := range paths {
		if !f.open(there[path], path) {
			f.arrive(path)
		}
	}
}

// open says whether the file at path is followed, or, where files cannot be told apart, whether any is at this path.
func (f *follow) open(id identity, path string) bool {
	return slices.ContainsFunc(f.tails, func(t *tail) bool {
		return t.file != nil && (id.known && t.place.known && t.place.same(id) || !id.known && t.path == path)
	})
}

// renamed finds the followed files that stand at another path of the pattern now.
func (f *follow) renamed(paths []string, there map[string]identity) {
	for _, t := range slices.Clone(f.tails) {
		if !t.place.known || t.file == nil {
			continue
		}
		if info, err := os.Stat(t.path); err == nil && identityOf(info).same(t.place.identity) {
			continue
		}
		for _, path := range paths {
			if id := there[path]; id.known && id.same(t.place.identity) {
				t.rename(path)
				f.tails = append(slices.DeleteFunc(f.tails, func(other *tail) bool { return other == t }), t)
				break
			}
		}
	}
}

// arrive opens the file at path.
func (f *follow) arrive(path string) {
	before := f.queue(path)
	if len(before) >= maxQueue {
		if !f.crowded {
			f.log.Warn().Str("file", path).Int("open", len(before)).Msg("files are replaced faster than they can be read: a new one waits, and is lost if it is replaced first")
		}
		f.crowded = true
		return
	}
	file, info, err := openRegular(path)
	if err != nil {
		if path == f.Path && !f.missing && len(before) == 0 {
			f.log.Warn().Str("file", path).Err(err).Msg("waiting for the file")
			f.missing = true
		}
		return
	}
	if path == f.Path {
		f.missing = false
	}
	if f.open(identityOf(info), path) { // it took this place since it was looked at
		file.Close() // only read from
		return
	}
	f.crowded = false
	f.begin(path, file, identityOf(info))
	if len(before) > 0 {
		before[0].unsaved = true
	}
}

// begin follows a file from its start.
func (f *follow) begin(path string, file *os.File, id identity) {
	if p, ok := f.places[path]; ok {
		delete(f.places, path)
		f.log.Warn().Str("file", path).Int64("was_at", p.Offset).Msg("the file was replaced or cut while the router was down, and what it was is not there any more; reading the new one from its start")
	}
	f.log.Debug().Str("file", path).Msg("the file is open")
	t := newTail(f, path, file, place{identity: id})
	t.unsaved = true
	f.tails = append(f.tails, t)
}
