package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
)

// Two files beside databases make a rename that moves one safe to be cut off anywhere, and to repeat. Open refuses where it finds either.
const (
	leftMark   = ".renamed"  // where the database was; holds the new id, and stays
	comingMark = ".renaming" // where it goes, until everything is done; holds the id before
)

// Renaming says what a database's node is to be called, and where the database is to be.
type Renaming struct {
	Before string // the id that it has; empty: whatever the database says
	After  string
	Path   string       // empty, or that of the Options: it stays where it is
	Done   func() error // called when all but the last mark is done, again if the rename is repeated; may be nil
}

// Rename gives a database that nobody has open another node id, and moves it. What else is in it stays as it is. It returns the id before. It happens
// as a whole, or goes on when it is repeated with the same Renaming; until then nothing opens the database, at either path. Errors are those of Open and ErrTaken;
// one that wraps fs.ErrNotExist means that there is no database.
func Rename(o Options, r Renaming) (before string, err error) {
	o.Seal = func(BatchHead, [][]byte) []byte { return nil } // nothing is appended
	o.NodeID = ""
	if err := o.setDefaults(); err != nil {
		return "", err
	}
	if r.Path == "" || o.VFS != "" {
		r.Path = o.Path
	}
	n := &renamer{Renaming: r, s: construct(o), from: o.Path}
	if err := n.run(); err != nil {
		return "", fmt.Errorf("rename the node of store %s: %w", o.Path, err)
	}
	return n.Before, nil
}

type renamer struct {
	Renaming
	s      *Store
	from   string
	marked []string // the marks made by this call
}

func (n *renamer) run() error {
	if n.s.opt.VFS == "" {
		if over, err := n.look(); err != nil || over {
			return err
		}
	}
	if err := n.s.files.prepare(!n.s.opt.NoLock); err != nil {
		n.s.discard(err)
		return err
	}
	if err := n.mark(); err != nil {
		n.unmark()
		n.s.discard(err)
		return err
	}
	err := errors.Join(n.name(), n.s.disconnect())
	if err == nil && n.moves() {
		err = n.move()
	}
	if err = errors.Join(err, n.s.files.release()); err == nil && n.moves() {
		_ = os.Remove(n.from + ".lock") // it means nothing any more
	}
	return err
}

func (n *renamer) moves() bool { return n.Path != n.from }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// look finds out how far the rename is, before anything is touched.
func (n *renamer) look() (over bool, err error) {
	if !n.moves() {
		_, err := os.Stat(n.from)
		return false, err
	}
	coming, err := readMark(n.Path + comingMark)
	if err != nil {
		return false, err
	}
	there := exists(n.Path) || exists(n.Path+"-wal")
	switch {
	case coming != "" && coming != n.Before:
		return false, fmt.Errorf("%w: a rename of node %s to it has not ended; repeat that first", ErrTaken, coming)
	case exists(n.from) && there:
		return false, fmt.Errorf("%w: %s exists", ErrTaken, n.Path)
	case exists(n.from):
		return false, nil
	case coming != "" && there:
		return true, n.finish()
	}
	if left, err := readMark(n.from + leftMark); left != "" || err != nil {
		return false, errors.Join(fmt.Errorf("%w: it is %s now", ErrRenamed, left), err)
	}
	_, err = os.Stat(n.from)
	return false, err
}

// mark makes sure that the database is the one meant, and then closes both paths to everybody else.
func (n *renamer) mark() error {
	if err := n.s.connect(); err != nil {
		return reason(err, n.from)
	}
	if _, err := n.s.identify(); err != nil {
		return reason(err, n.from)
	}
	switch node := n.s.opt.NodeID; {
	case n.Before == "":
		n.Before = node
	case node != n.Before && node != n.After:
		return fmt.Errorf("%w: the database belongs to %q, not to %q", ErrNodeID, node, n.Before)
	}
	if !n.moves() {
		return nil
	}
	if err := n.s.files.makeFolder(filepath.Dir(n.Path)); err != nil {
		return err
	}
	// It is made where the database is, and moved, to learn in time whether the database can be.
	first := n.from + ".mark"
	if err := n.put(first, n.Before); err != nil {
		return err
	}
	if err := os.Rename(first, n.Path+comingMark); err != nil {
		_ = os.Remove(first)
		return fmt.Errorf("move to %s: %w", filepath.Dir(n.Path), err)
	}
	n.marked = append(n.marked, n.Path+comingMark)
	if err := n.put(n.from+leftMark, n.After); err != nil {
		return err
	}
	n.marked = append(n.marked, n.from+leftMark)
	return n.syncFolders()
}

// unmark undoes mark: nothing has happened.
func (n *renamer) unmark() {
	for _, path := range n.marked {
		_ = os.Remove(path)
	}
}

// name changes the id, and leaves all of the database in its one file.
func (n *renamer) name() error {
	failpoint.Pass("rename.after-mark")
	if err := n.s.configure(false); err != nil {
		return reason(err, n.from)
	}
	if err := n.s.w.exec(qSetNode, n.After); err != nil {
		if noRoom(err) {
			n.unmark()
		}
		return reason(err, n.from)
	}
	failpoint.Pass("rename.after-name")
	if _, _, err := n.s.w.raw.WALCheckpoint("", sqlite3.CHECKPOINT_TRUNCATE); err != nil {
		return reason(err, n.from)
	}
	return nil
}

func (n *renamer) move() error {
	if info, err := os.Stat(n.from + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("%w: its write-ahead log could not be emptied", ErrInUse)
	}
	for _, suffix := range []string{"-wal", "-shm", ".reserve"} {
		if err := os.Remove(n.from + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(n.from, n.Path); err != nil {
		return err
	}
	if err := n.syncFolders(); err != nil {
		return err
	}
	failpoint.Pass("rename.after-move")
	return n.finish()
}

// finish does what is left once the database is where it belongs.
func (n *renamer) finish() error {
	if n.Done != nil {
		if err := n.Done(); err != nil {
			return err
		}
	}
	for _, path := range []string{n.Path + leftMark, n.Path + comingMark} { // in this order: the last opens the way
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return n.syncFolders()
}

func (n *renamer) syncFolders() error {
	if runtime.GOOS == "windows" { // they cannot be synced there
		return nil
	}
	err := errors.Join(syncFolder(filepath.Dir(n.from)), syncFolder(filepath.Dir(n.Path)))
	for _, made := range n.s.files.folders {
		err = errors.Join(err, syncFolder(filepath.Dir(made)))
	}
	return err
}

// put writes a mark durably.
func (n *renamer) put(path, id string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(id + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

// readMark returns the id that a mark holds; empty: there is no mark.
func readMark(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if id := strings.TrimSpace(string(text)); id != "" || err != nil {
		return id, err
	}
	return "?", nil // made, and not written: a power cut
}

// refuseRenamed keeps a node from opening, or making anew, a database that is, or is becoming, another node's.
func (f *files) refuseRenamed() error {
	if f.vfs != "" {
		return nil
	}
	coming, err := readMark(f.path + comingMark)
	if err != nil {
		return err
	}
	if coming != "" {
		return fmt.Errorf("%w: the rename of node %s to this one has not ended; repeat it", ErrRenamed, coming)
	}
	left, err := readMark(f.path + leftMark)
	if err != nil || left == "" {
		return err
	}
	if exists(f.path) {
		return fmt.Errorf("%w: its rename to %s has not ended; repeat it", ErrRenamed, left)
	}
	return fmt.Errorf("%w: its database is that of %s now; to start a new node with the old id, remove %s", ErrRenamed, left, f.path+leftMark)
}
