package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/getevo/rmds-router/engine"
	"github.com/spf13/viper"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 4 << 20

// environment lists the settings that a variable overrides.
var environment = map[string]string{
	"node.id":     "RMDS_NODE_ID",
	"http.listen": "RMDS_HTTP",
}

var (
	defaultChannel = Channel{Mode: ReadWrite, NewReaders: ReadersOpen}
	defaultInput   = Input{Format: "raw", Interval: defaultInterval}
	defaultOutput  = Output{Format: "raw"}
)

// Override sets one setting over the file and the environment.
type Override struct {
	// Key is the path of a setting that is not in a list.
	Key, Value string
	// Source names what asked for it in problems, such as --node-id.
	Source string
}

// Load reads and checks a configuration file. An empty path means the configuration of Lone. The format follows the
// file's extension: .toml is TOML; everything else is YAML, which includes JSON.
//
// The error is of type Problems if the configuration is at fault.
func Load(path string, overrides ...Override) (*Config, error) {
	c, root := Lone(), &node{kind: mappingNode}
	d := &decoder{places: c.places}
	if path != "" {
		c = Default()
		c.Source, d.places = path, c.places
		var problems Problems
		if root, problems = readFile(path); root == nil {
			return nil, problems
		}
		d.problems = append(problems, expand(root, "", os.LookupEnv)...)
	}
	s := newSchema(reflect.TypeFor[Config](), "")
	d.check(s, root, "", "")
	layers, err := layer(s, root, overrides)
	if err != nil {
		return nil, err
	}
	value := reflect.ValueOf(c).Elem()
	for _, f := range s.settings {
		if n := layers.value(f.path); n != nil {
			d.places[f.path] = place{n.source, n.line}
			d.set(value.FieldByIndex(f.index), f.path, f.path, n)
		}
	}
	c.normalize(d)
	d.problems = append(d.problems, c.check(d.problems)...)
	if err := d.problems.sorted(path).Err(); err != nil {
		return nil, err
	}
	return c, nil
}

func readFile(path string) (*node, Problems) {
	fail := func(text string) Problems { return Problems{{Source: path, Text: text}} }
	file, err := os.Open(path)
	if err != nil {
		return nil, fail("cannot read the configuration: " + reason(err) + ": name the file with --config, or leave the flag out for a lone node")
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, fail("cannot read the configuration: " + reason(err) + ": name a file with --config")
	case len(data) > maxFile:
		return nil, fail(fmt.Sprintf("larger than %d MiB: this is not a configuration", maxFile>>20))
	}
	if strings.EqualFold(filepath.Ext(path), ".toml") {
		return parseTOML(path, data)
	}
	return parseYAML(path, data)
}

// reason is an operating system error without the operation and the path, which the caller names already.
func reason(err error) string {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// layers hold the settings that are not in lists: flags over environment over file. Viper decides which one counts;
// what it holds are nodes of the file, which know their line, or text from elsewhere.
type layers struct {
	viper     *viper.Viper
	overrides map[string]Override
}

func layer(s *schema, root *node, overrides []Override) (*layers, error) {
	l := &layers{viper: viper.New(), overrides: map[string]Override{}}
	for _, f := range s.settings {
		if n := find(root, "", f.path); n != nil {
			l.viper.SetDefault(f.path, n)
		}
	}
	for key, variable := range environment {
		if err := l.viper.BindEnv(key, variable); err != nil {
			return nil, fmt.Errorf("bind %s to %s: %w", variable, key, err)
		}
	}
	for _, o := range overrides {
		f, ok := s.byPath[o.Key]
		if !ok || f.typ.Kind() == reflect.Slice {
			return nil, Problems{{Source: o.Source, Key: o.Key, Text: "not a setting that can be given here" + s.insteadOf(o.Key)}}
		}
		l.viper.Set(o.Key, o.Value)
		l.overrides[o.Key] = o
	}
	return l, nil
}

// insteadOf says why a key cannot be given outside of a file, or which one was probably meant.
func (s *schema) insteadOf(key string) string {
	top, _, _ := strings.Cut(key, ".")
	for _, at := range []string{key, top} {
		if f, ok := s.byPath[at]; ok && f.typ.Kind() == reflect.Slice {
			return ": " + at + " is a list, which only the configuration file can hold"
		}
	}
	if names := s.children[key]; len(names) > 0 {
		return ": it is a section; give one of its settings, such as " + key + "." + names[0]
	}
	var paths []string
	for _, f := range s.settings {
		if f.typ.Kind() != reflect.Slice {
			paths = append(paths, f.path)
		}
	}
	if near := suggest(key, paths); near != "" {
		return near
	}
	return suggestKey(s, "", key)
}

func (l *layers) value(path string) *node {
	switch v := l.viper.Get(path).(type) {
	case *node:
		return v
	case string:
		source := environment[path]
		if o, ok := l.overrides[path]; ok {
			source = o.Source
		}
		return &node{source: source, typ: freeScalar, text: v}
	}
	return nil
}

// normalize turns the file's "0 means none" into the engine's constants, and refuses a zero where it means nothing.
func (c *Config) normalize(d *decoder) {
	if c.Engine.MessageExpiry == 0 {
		c.Engine.MessageExpiry = engine.NoExpiry
	}
	if c.Engine.MaxMessagesPerReceiver == 0 {
		c.Engine.MaxMessagesPerReceiver = engine.Unlimited
	}
	if at, given := d.places["storage.reserve"]; c.Engine.StorageReserve == 0 {
		c.Engine.StorageReserve = engine.NoReserve
	} else if given && c.Engine.StorageReserve < 0 {
		d.fail(&node{source: at.source, line: at.line}, "storage.reserve", "must not be below zero")
	}
	zeroIsNone := map[string]bool{"delivery.message_expiry": true, "delivery.max_messages_per_receiver": true, "storage.max_size": true, "storage.reserve": true}
	value := reflect.ValueOf(&c.Engine).Elem()
	for _, f := range settingsOf(value.Type(), "", nil) {
		field := value.FieldByIndex(f.index)
		if at, given := d.places[f.path]; given && !zeroIsNone[f.path] && field.CanInt() && field.Int() <= 0 && !d.faulty(f.path) {
			d.fail(&node{source: at.source, line: at.line}, f.path, "must be above zero")
		}
	}
}

func (d *decoder) faulty(path string) bool { return d.problems.has(path) }
