package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Renamed is what RenameNode has done.
type Renamed struct {
	Before, After string
	Path          string // of the database now
}

// RenameNode gives a node another id: in its database, and in the database's path where that has {nodeID}. The config and the options are those that
// the node was last started with; afterwards the node is to be started with the new id. It must not be running: then the error wraps ErrStorageInUse.
//
// Everything in the database stays: messages that wait, joins, places, keys, dead letters. Positions belong to the database and not to the name, so both
// sides of every lane go on where they were; a node that was not stopped in order is known by its new id once the others have missed the old one
// for NodeOfflineTimeout. Nodes that start afterwards wait as long before they take a new name for one that they know.
//
// A rename that is cut off leaves a database that nothing opens until the call is repeated with the same arguments; that completes it. Afterwards the
// old id opens nothing: New returns ErrRenamed, so that a configuration that was forgotten makes no new node beside the old one's messages.
// Errors wrap ErrName, ErrRename, ErrNodeID, ErrRenamed, fs.ErrNotExist if there is no such database, or are those of New.
func RenameNode(c *Config, id string, opts ...Option) (Renamed, error) {
	if !wire.LegalName(id) {
		return Renamed{}, errName("node", id)
	}
	s, err := newSetup(c, opts)
	if err != nil {
		return Renamed{}, err
	}
	before := s.config.NodeID
	if strings.Contains(s.pattern, nodePlaceholder) {
		if before == id {
			return Renamed{}, fmt.Errorf("%w: it is %s already", ErrRename, id)
		}
	} else if before == id {
		before = "" // the configuration has the new id already; the database says the old one
	}
	done := Renamed{After: id, Path: s.path(id)}
	done.Before, err = store.Rename(store.Options{Path: s.config.StoragePath, VFS: s.harness.VFS, NoLock: s.harness.VFS != "", MaxSize: s.config.StorageMaxSize},
		store.Renaming{Before: before, After: id, Path: done.Path, Done: func() error { return s.keep(id) }})
	if errors.Is(err, fs.ErrNotExist) {
		return Renamed{}, fmt.Errorf("there is no database %s: %w", s.config.StoragePath, fs.ErrNotExist)
	}
	if err != nil {
		return Renamed{}, publicError(err)
	}
	if done.Before == id {
		return Renamed{}, fmt.Errorf("%w: it is %s already", ErrRename, id)
	}
	return done, nil
}

// keep makes a derived id the new one.
func (s *setup) keep(id string) error {
	if s.keepID == "" {
		return nil
	}
	if err := os.WriteFile(s.keepID, []byte(id+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the node id: %w", err)
	}
	return nil
}
