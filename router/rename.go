package router

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/config"
)

// Rename gives the node of a configuration another id. It must not be running. Errors of type config.Problems mean that the configuration is not that of
// the node's database.
func Rename(c *config.Config, id string) (engine.Renamed, error) {
	done, err := engine.RenameNode(&c.Engine, id)
	switch {
	case err == nil:
		return done, nil
	case errors.Is(err, fs.ErrNotExist):
		return done, fmt.Errorf("%w: name the node's configuration with -c, and the id that it has now, if that is another, with --node-id", err)
	case errors.Is(err, engine.ErrRename), errors.Is(err, engine.ErrRenamed):
		return done, fmt.Errorf("%w: if the configuration has the new id already, give the one that the node has with --node-id", err)
	case errors.Is(err, engine.ErrStorageInUse):
		return done, fmt.Errorf("%w: stop the router first; it tells the others goodbye, and drains", err)
	}
	return done, (&Router{config: c}).engineProblem(err)
}
