package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setScalar reads one word or number into a field. path names the kind of setting, without list indexes.
func setScalar(field reflect.Value, path string, n *node) error {
	if n.kind != scalarNode || n.typ == nullScalar {
		return fmt.Errorf("want %s, not %s", wanted(field.Type(), path), n.what())
	}
	if words, ok := choices[path]; ok {
		return setChoice(field, path, n.text, words)
	}
	switch {
	case field.Type() == durationType:
		d, err := duration(n)
		if err != nil {
			return err
		}
		field.SetInt(int64(d))
	case field.Kind() == reflect.Bool:
		if n.text != "true" && n.text != "false" || n.typ != boolScalar && n.typ != freeScalar {
			return fmt.Errorf("want true or false, not %s", n.shown())
		}
		field.SetBool(n.text == "true")
	case field.CanInt():
		i, err := integer(n, sizes[path])
		if err != nil {
			return err
		}
		if field.OverflowInt(i) {
			return fmt.Errorf("%s is too large", n.text)
		}
		field.SetInt(i)
	case field.CanUint():
		i, err := integer(n, sizes[path])
		if err != nil {
			return err
		}
		if i < 0 || field.OverflowUint(uint64(i)) {
			return fmt.Errorf("%s is out of range", n.text)
		}
		field.SetUint(uint64(i))
	case field.Kind() == reflect.String:
		if n.typ != textScalar && n.typ != freeScalar {
			return fmt.Errorf("want text, not %s; put it in quotes: %q", n.typ, n.text)
		}
		field.SetString(n.text)
	default:
		return fmt.Errorf("cannot be set from a file")
	}
	return nil
}

// shown is the value as an error message quotes it.
func (n *node) shown() string {
	text := n.text
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	if n.typ == textScalar || n.typ == freeScalar {
		return strconv.Quote(text)
	}
	return text
}

func wanted(t reflect.Type, path string) string {
	switch {
	case choices[path] != nil:
		return "one of " + strings.Join(choices[path], ", ")
	case t == durationType:
		return "a duration such as 10s"
	case sizes[path]:
		return "a size such as 64MiB"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.String:
		return "text"
	}
	return "a whole number"
}

func setChoice(field reflect.Value, path, word string, words []string) error {
	if slices.Contains(laterChoices[path], word) {
		return fmt.Errorf("%q is not available yet in this version; use one of %s", word, strings.Join(words, ", "))
	}
	if !slices.Contains(words, word) {
		return fmt.Errorf("%q is not one of %s%s", word, strings.Join(words, ", "), suggest(word, words))
	}
	if field.Kind() == reflect.Bool { // the first word is on
		field.SetBool(word == words[0])
		return nil
	}
	field.SetString(word)
	return nil
}

func duration(n *node) (time.Duration, error) {
	if n.text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(n.text)
	switch {
	case err != nil && (n.typ == intScalar || n.typ == floatScalar):
		return 0, fmt.Errorf("%s has no unit: write %ss, %sms or the like", n.text, n.text, n.text)
	case err != nil:
		return 0, fmt.Errorf("%s is not a duration: write 500ms, 10s, 5m or 72h", n.shown())
	case d < 0:
		return 0, fmt.Errorf("%s is below zero", n.text)
	}
	return d, nil
}

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// integer reads a whole number, with a unit of bytes if size is set.
func integer(n *node, size bool) (int64, error) {
	text := strings.ReplaceAll(n.text, "_", "")
	if n.typ == textScalar && !size || n.typ == floatScalar || n.typ == boolScalar {
		return 0, fmt.Errorf("want a whole number, not %s", n.shown())
	}
	if !size {
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("want a whole number, not %s", n.shown())
		}
		return i, nil
	}
	return ParseSize(n.text)
}

// ParseSize reads a size in bytes, such as 65536, 64KiB or 2GiB.
func ParseSize(written string) (int64, error) {
	text, unit := strings.ReplaceAll(written, "_", ""), int64(1)
	for _, u := range units {
		if head, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = strings.TrimSpace(head), u.bytes
			break
		}
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil || i < 0 {
		return 0, fmt.Errorf("%q is not a size: write 65536, 64KiB, 64MiB or 2GiB", written)
	}
	if i > math.MaxInt64/unit {
		return 0, fmt.Errorf("%s is too large", written)
	}
	return i * unit, nil
}
