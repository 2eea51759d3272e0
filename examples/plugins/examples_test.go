// Package plugins_test builds every example of a plugin that has a plugin.yaml, runs its test cases, checks the configuration beside it, and runs a router with it.
package plugins_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/router"
	"github.com/getevo/rmds-router/router/author"
	"github.com/getevo/rmds-router/router/config"
)

func TestExamples(t *testing.T) {
	manifests, err := filepath.Glob("*/" + author.ManifestFile)
	if err != nil || len(manifests) < 7 {
		t.Fatal(manifests, err)
	}
	languages := map[string]bool{}
	for _, manifest := range manifests {
		name := filepath.Dir(manifest)
		m, err := author.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		languages[m.Language] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes(t, name)
		})
	}
	for _, language := range author.Languages {
		if !languages[language] {
			t.Errorf("no example is in %s", language)
		}
	}
}

// passes does in a copy of an example's folder what its README says.
func passes(t *testing.T, name string) {
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(name)); err != nil {
		t.Fatal(err)
	}
	played(t, dir)
	checked(t, dir)
	c, ok := trials[name]
	if !ok {
		t.Fatalf("nothing is sent to %s in a router", name)
	}
	tried(t, dir, c)
}

// played builds a plugin's folder and runs its test cases.
func played(t *testing.T, dir string) *author.Manifest {
	m, err := author.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "rmds")); err != nil { // an earlier build's may be an older SDK
		t.Fatal(err)
	}
	var log bytes.Buffer
	err = m.Build(t.Context(), &log)
	if errors.Is(err, author.ErrTool) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	plugin, err := m.Plugin()
	if err != nil {
		t.Fatal(err)
	}
	plugin.Limits.Timeout = 10 * time.Second // the machine may be busy
	suite, err := author.ReadSuite(m.CasesPath())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := suite.Test(t.Context(), plugin, t.TempDir(), &out); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	return m
}

// checked loads the configuration as `rmds-router check` in the folder would: files in it are named from there.
func checked(t *testing.T, dir string) {
	file := filepath.Join(dir, "router.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("file: "), []byte("file: "+dir+"/"))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if warnings, err := router.Check(t.Context(), c, router.Options{Logger: zerolog.Nop()}); err != nil || len(warnings) > 0 {
		t.Errorf("router.yaml: %v, %v", warnings, err)
	}
}
