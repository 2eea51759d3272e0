package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestPluginsAreManaged(t *testing.T) {
	f := &fakeRouter{}
	c := clientOf(t, f)
	if r, err := c.ReloadPlugin(t.Context(), "count"); err != nil || !r.Changed || r.Plugin.Edition != 2 || r.Plugin.Name != "count" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, value := range [][]byte{[]byte("v"), {}, nil} {
		if err := c.SetState(t.Context(), "count", []byte("k"), value); err != nil {
			t.Error(err)
		}
	}
	if want := []string{`set count k "v" false`, `set count k "" false`, `set count k "" true`}; !slices.Equal(f.orders, want) {
		t.Errorf("%q", f.orders)
	}
	for _, body := range []string{"", "{", `{"value":"dg=="}`, `{"key":"*"}`} {
		if w := request(f, "POST", "/api/v1/plugins/count/state", body); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for err, code := range map[error]int{ErrReload: 422, ErrNoPlugin: 404} {
		f.err = fmt.Errorf("%w: because", err)
		if w := request(f, "POST", "/api/v1/plugins/count/reload", ""); w.Code != code || !strings.Contains(w.Body.String(), "because") {
			t.Errorf("%v: %d %s", err, w.Code, w.Body)
		}
	}
	f.err = ErrState
	if w := request(f, "POST", "/api/v1/plugins/count/state", `{"key":"aw=="}`); w.Code != 409 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
