package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// TestEveryKeyIsDocumented holds docs/configuration.md to the settings that there are, the fields of the Go API that they are, and
// their defaults: each row of its tables begins as it is written here.
func TestEveryKeyIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	rows := 0
	for _, row := range documentedRows() {
		if !strings.Contains(text, "\n"+row) {
			t.Errorf("docs/configuration.md has no row that begins with %s", row)
		}
		rows++
	}
	if got := strings.Count(text, "\n| `"); got != rows {
		t.Errorf("docs/configuration.md has %d rows of settings, and there are %d settings", got, rows)
	}
}

func documentedRows() []string {
	var rows []string
	c := Default()
	value := reflect.ValueOf(c).Elem()
	fields := map[string]string{}
	for _, f := range settingsOf(reflect.TypeFor[engine.Config](), "", nil) {
		fields[f.path] = reflect.TypeFor[engine.Config]().FieldByIndex(f.index).Name
	}
	for _, s := range newSchema(value.Type(), "").settings {
		if s.list() {
			element := reflect.New(s.typ.Elem()).Elem()
			setDefaults(element)
			for _, e := range newSchema(s.typ.Elem(), s.path).settings {
				rows = append(rows, fmt.Sprintf("| `%s` | %s |", strings.TrimPrefix(e.path, s.path+"."), shownDefault(e.path, element.FieldByIndex(e.index))))
			}
			continue
		}
		row := fmt.Sprintf("| `%s` | %s |", s.path, shownDefault(s.path, value.FieldByIndex(s.index)))
		if name := fields[s.path]; name != "" {
			row += " `" + name + "` |"
		}
		rows = append(rows, row)
	}
	return rows
}

func shownDefault(path string, v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		if x <= 0 {
			return "0s"
		}
		text := x.String()
		if x%time.Minute == 0 {
			text = strings.TrimSuffix(text, "0s")
		}
		if x%time.Hour == 0 {
			text = strings.TrimSuffix(text, "0m")
		}
		return text
	case bool:
		if words := choices[path]; words != nil {
			return words[0]
		}
		return fmt.Sprint(x)
	}
	switch {
	case v.CanInt() && sizes[path] && v.Int() > 0 && v.Int()%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", v.Int()>>30)
	case v.CanInt() && sizes[path] && v.Int() > 0 && v.Int()%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", v.Int()>>20)
	case v.CanInt() && sizes[path] && v.Int() > 0 && v.Int()%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", v.Int()>>10)
	case v.CanInt():
		return fmt.Sprint(max(v.Int(), 0))
	case v.Kind() == reflect.String && v.Len() > 0:
		return fmt.Sprintf("`%s`", v)
	}
	return ""
}
