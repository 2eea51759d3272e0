package store

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestOlderDatabasesOpen: a database of every earlier version is brought up to date, and can be given another node id as it is.
func TestOlderDatabasesOpen(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			text := ""
			for _, m := range migrations[:version] {
				text += m
			}
			sql(t, path, text+fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d;", applicationID, version)+
				"INSERT INTO meta(id, store, node, created, engine, clean) VALUES(1, x'00112233445566778899aabbccddeeff', 'bob', 0, 5, 1);"+
				"INSERT INTO joins(channel, number, role, ended) VALUES('a', 1, 1, 0)")
			if before, err := Rename(plain(path), Renaming{After: "node-1"}); err != nil || before != "bob" {
				t.Fatal(before, err)
			}
			s := mustOpen(t, plain(path))
			if joins := s.Joins(); len(joins) != 1 || s.ID()[1] != 0x11 {
				t.Errorf("store %x with the joins %+v", s.ID(), joins)
			}
			if s.secret == (ID{}) {
				t.Error("no secret")
			}
			send(t, s, messages("a", 2))
		})
	}
}
