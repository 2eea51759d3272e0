package admin

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDamagedBatches(t *testing.T) {
	f := &fakeRouter{}
	if w := request(f, "GET", "/api/v1/damaged-batches", ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("none: %d %s", w.Code, w.Body)
	}
	kept := 7
	f.damaged = []DamagedBatch{{Where: "log", Node: "n", First: 5, FoundMs: 9, Cause: "a bit"}, {Where: "received", Node: "m", Channel: "c", First: 1, Last: 3, Count: 3, FoundMs: 9, Cause: "b", Kept: &kept}}
	list, err := NewClient(serve(t, f).Address()).DamagedBatches(t.Context())
	if err != nil || !reflect.DeepEqual(list, f.damaged) {
		t.Errorf("%+v, %v", list, err)
	}
	if w := request(&fakeRouter{err: errors.New("odd")}, "GET", "/api/v1/damaged-batches", ""); w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
