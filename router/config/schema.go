package config

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// setting is one key that a file may hold. Its path has no list indexes: channels.mode is the mode of every channel.
type setting struct {
	path string
	// index leads from the struct that the setting's list element, or Config, is made of to its field.
	index []int
	typ   reflect.Type
}

// list says whether the setting is a list of sections, each an element with settings of its own.
func (s setting) list() bool {
	return s.typ.Kind() == reflect.Slice && s.typ.Elem().Kind() == reflect.Struct
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	rawType      = reflect.TypeFor[json.RawMessage]()
)

// settingsOf lists the settings of a struct by the config tags of its fields, whose own structs may hold more.
func settingsOf(t reflect.Type, prefix string, index []int) []setting {
	var out []setting
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		tag := f.Tag.Get("config")
		at := append(slices.Clone(index), i)
		path := prefix
		if tag != "" {
			path = join(prefix, tag)
		}
		switch {
		case f.Type.Kind() == reflect.Struct:
			out = append(out, settingsOf(f.Type, path, at)...)
		case tag != "":
			out = append(out, setting{path: path, index: at, typ: f.Type})
		}
	}
	return out
}

// schema is what one struct accepts: its settings by path, and the names below every section.
type schema struct {
	settings []setting
	byPath   map[string]setting
	children map[string][]string
}

func newSchema(t reflect.Type, prefix string) *schema {
	s := &schema{settings: settingsOf(t, prefix, nil), byPath: map[string]setting{}, children: map[string][]string{}}
	for _, f := range s.settings {
		s.byPath[f.path] = f
		for path := f.path; path != prefix && path != ""; {
			parent, name := "", path
			if i := strings.LastIndexByte(path, '.'); i >= 0 {
				parent, name = path[:i], path[i+1:]
			}
			if !slices.Contains(s.children[parent], name) {
				s.children[parent] = append(s.children[parent], name)
			}
			path = parent
		}
	}
	return s
}

// sizes are the settings whose numbers are bytes and may carry a unit.
var sizes = map[string]bool{
	"storage.max_size":             true,
	"storage.reserve":              true,
	"delivery.max_bytes_in_flight": true,
	"delivery.max_message_size":    true,
	"plugins.limits.memory":        true,
	"plugins.limits.key":           true,
	"plugins.limits.value":         true,
	"plugins.limits.log":           true,
	"plugins.limits.effects":       true,
}

// choices are the words that a setting accepts.
var choices = map[string][]string{
	"storage.sync":         {string(engine.SyncFull), string(engine.SyncNormal)},
	"delivery.ordering":    {string(engine.OrderReceiver), string(engine.OrderChannel)},
	"delivery.compression": {"snappy", "none"},
	"delivery.overflow":    {string(engine.OverflowReject), string(engine.OverflowDropOldest), string(engine.OverflowDropNewest)},
	"plugins.on_error":     {"hold", "pass", "dead"},
	"channels.mode":        {string(ReadWrite), string(ReadOnly), string(WriteOnly)},
	"channels.new_readers": {string(ReadersOpen), string(ReadersHead), string(ReadersAll)},
	"inputs.type":          {"stdin", "file", "telemetry"},
	"inputs.format":        {"raw", "json"},
	"outputs.type":         {"stdout", "file"},
	"outputs.format":       {"raw", "json"},
	"log.level":            {"trace", "debug", "info", "warn", "error"},
	"log.format":           {"console", "json"},
}

// later are keys that belong to the product and have no effect in this version. Accepting them would be a promise not kept.
var later = []string{
	"nats.embedded.leafnodes", "nats.embedded.config_file",
	"security", "http.token_file", "http.hosts",
}

// laterChoices are words of the same kind.
var laterChoices = map[string][]string{
	"inputs.type":  {"http", "nats", "mqtt", "timer"},
	"outputs.type": {"webhook", "nats", "mqtt", "exec"},
}

const notYet = "not available yet in this version; remove it"

// Keys returns the path of every setting, list elements without their index, in the order of the types.
func Keys() []string {
	var keys []string
	for _, s := range newSchema(reflect.TypeFor[Config](), "").settings {
		if !s.list() {
			keys = append(keys, s.path)
			continue
		}
		for _, e := range newSchema(s.typ.Elem(), s.path).settings {
			keys = append(keys, e.path)
		}
	}
	return keys
}
