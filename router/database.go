package router

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/config"
)

// engineProblem names the setting behind an error of engine.New, and the way out.
func (r *Router) engineProblem(err error) error {
	at := func(key, wayOut string) error {
		return fmt.Errorf("%s%w: %s", r.config.Problem(key, ""), err, wayOut)
	}
	switch {
	case errors.Is(err, engine.ErrNodeID):
		return config.Problems{r.config.Problem("node.id", "%v: use the id that the database has, give it this one with \"rmds-router node rename\", or use another storage.path for a new node", err)}
	case errors.Is(err, engine.ErrRenamed):
		return config.Problems{r.config.Problem("node.id", "%v; see \"rmds-router node rename --help\"", err)}
	case errors.Is(err, engine.ErrName), errors.Is(err, engine.ErrConfig):
		return config.Problems{r.config.Problem("", "%v", err)}
	case errors.Is(err, engine.ErrStorageInUse):
		return at("storage.path", "stop the other router, or give this one its own storage.path")
	case errors.Is(err, engine.ErrStorageVersion):
		return at("storage.path", "install the version that wrote it, or use another storage.path")
	case errors.Is(err, syscall.EISDIR):
		return at("storage.path", "name a file in that folder, such as node.db")
	case errors.Is(err, syscall.ENOTDIR):
		return at("storage.path", "a part of the path is a file: name a file in a folder")
	case errors.Is(err, engine.ErrNotDatabase):
		return at("storage.path", "that file is something else and was left as it is: name this router's own database, or a file that does not exist yet")
	case errors.Is(err, engine.ErrCorrupt):
		return at("storage.path", "keep the file for whoever can repair it, and start from a backup, or with another storage.path and another node.id")
	case errors.Is(err, engine.ErrStorageFull) && r.config.Engine.StorageMaxSize > 0:
		return at("storage.max_size", "make room on the disk, or raise storage.max_size")
	case errors.Is(err, engine.ErrStorageFull), errors.Is(err, syscall.ENOSPC):
		return at("storage.path", "make room on the disk, or use another storage.path")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrNotExist), errors.Is(err, engine.ErrNotWritable):
		return at("storage.path", "make sure that this user may write there, or use another storage.path")
	}
	return at("storage.path", "look at the disk, or use another storage.path")
}
