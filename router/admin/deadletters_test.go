package admin

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
)

// graveyard has dead letters 001 to n; every third is of the channel b, the others of a.
func graveyard(n int) *fakeRouter {
	f := &fakeRouter{}
	for i := range n {
		f.letters = append(f.letters, DeadLetter{ID: fmt.Sprintf("%03d", i+1), Channel: map[bool]string{true: "b", false: "a"}[i%3 == 2]})
	}
	return f
}

func TestDeadLettersAreListedInPages(t *testing.T) {
	f := graveyard(5)
	for path, want := range map[string]string{
		"/api/v1/dead-letters":                     "001 002 003 004 005 | ",
		"/api/v1/dead-letters?limit=2":             "001 002 | 002",
		"/api/v1/dead-letters?after=004":           "005 | ",
		"/api/v1/dead-letters?channel=b&limit=100": "003 | ",
	} {
		w := request(f, "GET", path, "")
		var page DeadLetterPage
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, l := range page.Letters {
			got += l.ID + " "
		}
		if got+"| "+page.Next != want {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	if w := request(&fakeRouter{}, "GET", "/api/v1/dead-letters", ""); !strings.Contains(w.Body.String(), `"letters":[]`) {
		t.Errorf("none: %s", w.Body)
	}
	for path, status := range map[string]int{"/api/v1/dead-letters/003": 200, "/api/v1/dead-letters/999": 404, "/api/v1/dead-letters?limit=0": 400, "/api/v1/dead-letters?limit=1001": 400} {
		if w := request(f, "GET", path, ""); w.Code != status {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestOrdersForDeadLetters(t *testing.T) {
	for _, verb := range []string{"redrive", "drop"} {
		path := "/api/v1/dead-letters/" + verb
		for body, want := range map[string]string{
			``: "400", `{`: "400", `{}`: "400", `{"ids":["001"],"all":true}`: "400", `{"ids":["001"],"channel":"a"}`: "400", `{"id":"001"}`: "400",
			`{"ids":[` + strings.Repeat(`"1",`, maxLetterOrder) + `"1"]}`: "400",
			`{"ids":["001","002","999"]}`:                                 `200 {"done":1,"failed":[{"id":"002","reason":"` + engine.ErrDeadLetterBusy.Error() + `"},{"id":"999","reason":"` + ErrNoDeadLetter.Error() + `"}]}`,
			`{"all":true,"channel":"b"}`:                                  `200 {"done":1,"failed":[],"through":"004"}`,
			`{"all":true,"after":"001","through":"003"}`:                  `200 {"done":1,"failed":[{"id":"002","reason":"` + engine.ErrDeadLetterBusy.Error() + `"}],"through":"003"}`,
		} {
			f := graveyard(4)
			f.busy = "002"
			w := request(f, "POST", path, body)
			if got := strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, w.Body)); !strings.HasPrefix(got, want) {
				t.Errorf("%s %.40s: %s, want %s", verb, body, got, want)
			}
		}
		if w := request(&fakeRouter{err: engine.ErrClosed}, "POST", path, `{"ids":["1"]}`); w.Code != 503 {
			t.Errorf("%s while stopping: %d %s", verb, w.Code, w.Body)
		}
		if w := request(graveyard(1), "POST", path, `{"ids":["001"]}`, "Origin", "http://evil.example"); w.Code != 403 {
			t.Errorf("%s by a page of elsewhere: %d", verb, w.Code)
		}
	}
}

func TestAnOrderForAllGoesOnFromPartToPart(t *testing.T) {
	f := graveyard(250)
	server := httptest.NewServer(Handler(f, Options{MaxBody: 10, Logger: zerolog.Nop()}))
	defer server.Close()
	client := NewClient(server.URL)
	o, parts := DeadLetterOrder{All: true}, 0
	for {
		r, err := client.Redrive(t.Context(), o)
		if err != nil || len(r.Failed) > 0 {
			t.Fatal(r, err)
		}
		if parts == 0 {
			f.letters = append(f.letters, DeadLetter{ID: "900"}) // died meanwhile
		}
		parts++
		if o.After, o.Through = r.Next, r.Through; o.After == "" {
			break
		}
	}
	if parts != 3 || len(f.gone) != 250 || !slices.IsSorted(f.gone) {
		t.Errorf("%d letters in %d parts", len(f.gone), parts)
	}
	if l, err := client.DeadLetter(t.Context(), "007"); err != nil || l.ID != "007" {
		t.Error(l, err)
	}
	if _, err := client.DeadLetter(t.Context(), "a b/c"); err == nil || err.Error() != ErrNoDeadLetter.Error() {
		t.Error(err)
	}
}

func TestJournalInPages(t *testing.T) {
	f := &fakeRouter{pending: []Event{{ID: "x", Seq: 1}, {ID: "y", Seq: 2}, {ID: "z", Seq: 3}}}
	for path, want := range map[string]string{
		"c/journal": "xyz ", "c/journal?limit=2": "xy y", "c/journal?after=y": "z ", "c/journal?last=2&limit=1": "y y", "c/journal?since=1h": "xyz ", "c/journal?since=2026-01-02T03:04:05Z": "xyz ",
		"c/journal?since=yesterday": "400", "c/journal?since=-1h": "400", "c/journal?last=0": "400", "c/journal?limit=x": "400", "d/journal": "409",
	} {
		w := request(f, "GET", "/api/v1/channels/"+path, "")
		got := fmt.Sprint(w.Code)
		if w.Code == 200 {
			var page JournalPage
			if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
				t.Fatal(err)
			}
			got = ""
			for _, e := range page.Messages {
				got += e.ID
			}
			got += " " + page.Next
		}
		if got != want {
			t.Errorf("%s: %s, want %s", path, w.Body, want)
		}
	}
}

func TestQueues(t *testing.T) {
	f := &fakeRouter{}
	if w := request(f, "GET", "/api/v1/queues", ""); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("none: %s", w.Body)
	}
	f.queues = []Queue{{Channel: "c", Reader: "r", Pending: 3, Oldest: 1, Online: true}}
	f.pending = []Event{{Seq: 1}, {Seq: 2}, {Seq: 3}}
	if w := request(f, "GET", "/api/v1/queues", ""); strings.TrimSpace(w.Body.String()) != `[{"channel":"c","reader":"r","pending":3,"oldest":1,"online":true}]` {
		t.Errorf("%s", w.Body)
	}
	for path, want := range map[string]string{
		"?reader=r&limit=2": "2 2", "?reader=r&after=2": "1 0", "?reader=r&after=9": "0 0", "?reader=x": "404", "?reader=r&after=x": "400", "?reader=r&limit=101": "400",
	} {
		w := request(f, "GET", "/api/v1/queues/c/messages"+path, "")
		var page PendingPage
		got := fmt.Sprint(w.Code)
		if w.Code == 200 {
			if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.Messages == nil {
				t.Fatal(w.Body, err)
			}
			got = fmt.Sprint(len(page.Messages), page.Next)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", path, w.Body, want)
		}
	}
}
