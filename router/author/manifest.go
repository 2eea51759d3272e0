package author

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/config"
)

// ManifestFile is what makes a folder a plugin's.
const ManifestFile = "plugin.yaml"

// Languages are those with an SDK and a template.
var Languages = []string{"assemblyscript", "c", "go", "rust"}

// Manifest is plugin.yaml.
type Manifest struct {
	Name     string         `yaml:"name"`
	Language string         `yaml:"language"`
	Command  bool           `yaml:"command"` // a WASI program without the contract, run once for each message; Go only
	Config   map[string]any `yaml:"config"`  // JSON to the guest; any shape
	Cases    string         `yaml:"cases"`   // file of test cases, from the folder; CasesFile if absent
	Allow    struct {
		Emit     []string `yaml:"emit"`
		KV       bool     `yaml:"kv"`
		NodeInfo bool     `yaml:"node_info"`
	} `yaml:"allow"`
	Limits struct {
		Memory  string        `yaml:"memory"`
		Timeout time.Duration `yaml:"timeout"`
		Emits   int           `yaml:"emits"`
	} `yaml:"limits"`

	dir string
}

// Open reads the manifest of a plugin's folder.
func Open(dir string) (*Manifest, error) {
	file := filepath.Join(dir, ManifestFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has no %s; make a folder with: rmds-router plugin new NAME --lang LANGUAGE", ErrFolder, dir, ManifestFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	m := &Manifest{dir: dir}
	err = strict(b, m)
	if err == nil && m.Command && m.Language != "go" {
		err = errors.New("command is for Go; build other programs with their own tools for the target wasm32-wasi")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFolder, file, err)
	}
	if !config.LegalName(m.Name) {
		return nil, fmt.Errorf("%w: %s: the name %q is not legal: %s", ErrFolder, file, m.Name, config.NameRule)
	}
	if !slices.Contains(Languages, m.Language) {
		return nil, fmt.Errorf("%w: %s: language %q is none of %s", ErrFolder, file, m.Language, strings.Join(Languages, ", "))
	}
	return m, nil
}

// strict decodes YAML in which every key must be known.
func strict(b []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", ""))
	}
	return nil
}

// Module is the file that a build makes.
func (m *Manifest) Module() string { return filepath.Join(m.dir, m.Name+".wasm") }

// CasesPath is the file of test cases.
func (m *Manifest) CasesPath() string {
	if m.Cases == "" {
		return filepath.Join(m.dir, CasesFile)
	}
	return filepath.Join(m.dir, filepath.FromSlash(m.Cases))
}

// Plugin is what the router would be configured with.
func (m *Manifest) Plugin() (plugins.Config, error) {
	c := plugins.Config{Name: m.Name, File: m.Module()}
	c.Allow.Emit, c.Allow.KV, c.Allow.NodeInfo = m.Allow.Emit, m.Allow.KV, m.Allow.NodeInfo
	c.Limits.Timeout, c.Limits.Emits = m.Limits.Timeout, m.Limits.Emits
	if m.Limits.Memory != "" {
		size, err := config.ParseSize(m.Limits.Memory)
		if err != nil {
			return c, fmt.Errorf("%w: limits.memory: %w", ErrFolder, err)
		}
		c.Limits.Memory = size
	}
	if m.Config != nil {
		b, err := json.Marshal(m.Config)
		if err != nil {
			return c, fmt.Errorf("%w: config: %w", ErrFolder, err)
		}
		c.Config = b
	}
	return c, nil
}
