package router

import (
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/router/config"
)

// Every configuration that people start from loads without a warning, and starts.
func TestConfigsStart(t *testing.T) {
	files, err := filepath.Glob("../configs/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			f := newFolder(t)
			for _, name := range []string{"NOTES", "HUB_LOGS", "HUB_TELEMETRY", "EDGE_LOG"} {
				t.Setenv(name, f.file(name))
			}
			t.Setenv("HUB_NATS", "127.0.0.1:1")
			c, err := config.Load(file, config.Override{Key: "http.listen", Value: "127.0.0.1:0"}, config.Override{Key: "storage.path", Value: f.file("data/node.db")},
				config.Override{Key: "nats.embedded.listen", Value: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			if w := c.Warnings(); len(w) != 0 {
				t.Errorf("warnings: %q", w)
			}
			r, err := Start(t.Context(), c, Options{Logger: zerolog.New(&f.log)})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Ready(); err != nil {
				t.Error(err)
			}
			closeRouter(t, r)
		})
	}
}
