package router

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/plugins"
)

// settle is how long a plugin's file must be left alone before it is read: editors and copies write in several steps.
const settle = 300 * time.Millisecond

// watch reloads plugins whose files change, until ctx ends. It watches folders, because editors replace files and orchestrators swap links.
func (r *Router) watch(ctx context.Context, w *fsnotify.Watcher) {
	log := r.part("plugin")
	defer w.Close()
	quiet := time.NewTimer(0)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-w.Events:
			if !open {
				return
			}
			if r.concerns(filepath.Base(e.Name)) {
				quiet.Reset(settle)
			}
		case err, open := <-w.Errors:
			if !open {
				return
			}
			log.Warn().Err(err).Msg("changes of plugins' files may go unnoticed; reload them by hand")
			quiet.Reset(settle) // the queue ran over: something may have changed
		case <-quiet.C:
			r.reloadChanged(ctx, log)
		}
	}
}

// concerns tells whether a change of a file may be one of a plugin: by its name, or by that of the link that Kubernetes swaps.
func (r *Router) concerns(name string) bool {
	return strings.HasPrefix(name, "..") || slices.ContainsFunc(r.config.Plugins, func(c plugins.Config) bool { return filepath.Base(c.File) == name })
}

func (r *Router) reloadChanged(ctx context.Context, log zerolog.Logger) {
	for _, c := range r.config.Plugins {
		if _, err := r.ReloadPlugin(ctx, c.Name); err != nil && ctx.Err() == nil {
			log.Error().Err(err).Msg("reload")
		}
	}
}

// watchPlugins starts to watch the folders of the plugins' files. Where that is not possible the plugins run all the same.
func (r *Router) watchPlugins(ctx context.Context) {
	if len(r.config.Plugins) == 0 {
		return
	}
	log := r.part("plugin")
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn().Err(err).Msg("plugins' files are not watched; reload them by hand")
		return
	}
	for _, c := range r.config.Plugins {
		folder := filepath.Dir(c.File)
		if err := w.Add(folder); err != nil {
			log.Warn().Err(err).Str("folder", folder).Msg("a plugin's file is not watched; reload it by hand")
		}
	}
	r.work.Go(func() { r.watch(ctx, w) })
}
