package store

import "fmt"

const (
	applicationID = 0x524d4453 // "RMDS", in the header of every database of this program
	pageSize      = 16384
)

// replayed, beside the role of a join, marks one that began with a replay.
const replayed = 4

// migrations bring a database from user_version i to i+1. A migration that was released is never changed.
// docs/log-format.md says what every column means.
var migrations = []string{schema1, schemaAudit, schemaLetterJoin, schemaJournal, schemaReplaced, schemaQuarantine, schemaBadBatches, schemaProofs}

const schema1 = `
CREATE TABLE meta (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	store BLOB NOT NULL,
	node TEXT NOT NULL,
	created INTEGER NOT NULL,
	engine INTEGER NOT NULL,
	clean INTEGER NOT NULL
);
CREATE TABLE channels (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	open_from INTEGER NOT NULL DEFAULT 0,
	open_total INTEGER NOT NULL DEFAULT 0,
	floor INTEGER NOT NULL DEFAULT 0,
	floor_total INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE runs (
	first_seq INTEGER PRIMARY KEY,
	run BLOB NOT NULL
);
CREATE TABLE batches (
	first_seq INTEGER PRIMARY KEY,
	last_seq INTEGER NOT NULL,
	run BLOB NOT NULL,
	channel INTEGER NOT NULL,
	prev INTEGER NOT NULL,
	before INTEGER NOT NULL,
	stored INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	earliest INTEGER NOT NULL,
	latest INTEGER NOT NULL,
	blob BLOB NOT NULL
);
CREATE INDEX batches_channel ON batches(channel);
CREATE INDEX batches_latest ON batches(latest) WHERE latest > 0;
CREATE TABLE readers (
	store BLOB NOT NULL,
	channel TEXT NOT NULL,
	join_no INTEGER NOT NULL,
	node TEXT NOT NULL,
	start INTEGER NOT NULL,
	position INTEGER NOT NULL,
	start_total INTEGER NOT NULL,
	done INTEGER NOT NULL,
	end_total INTEGER NOT NULL,
	removed INTEGER NOT NULL,
	ended INTEGER NOT NULL,
	handled INTEGER NOT NULL, dead INTEGER NOT NULL, expired INTEGER NOT NULL, purged INTEGER NOT NULL,
	overflow INTEGER NOT NULL, pruned INTEGER NOT NULL, corrupt INTEGER NOT NULL,
	PRIMARY KEY (store, channel, join_no)
) WITHOUT ROWID;
CREATE TABLE joins (
	channel TEXT NOT NULL,
	number INTEGER NOT NULL,
	role INTEGER NOT NULL,
	ended INTEGER NOT NULL,
	PRIMARY KEY (channel, number)
) WITHOUT ROWID;
CREATE TABLE positions (
	sender BLOB NOT NULL,
	channel TEXT NOT NULL,
	join_no INTEGER NOT NULL,
	node TEXT NOT NULL,
	run BLOB NOT NULL,
	seq INTEGER NOT NULL,
	handled INTEGER NOT NULL, dead INTEGER NOT NULL, expired INTEGER NOT NULL, purged INTEGER NOT NULL,
	overflow INTEGER NOT NULL, pruned INTEGER NOT NULL, corrupt INTEGER NOT NULL,
	PRIMARY KEY (sender, channel, join_no)
) WITHOUT ROWID;
CREATE TABLE position_runs (
	sender BLOB NOT NULL,
	channel TEXT NOT NULL,
	join_no INTEGER NOT NULL,
	age INTEGER NOT NULL,
	run BLOB NOT NULL,
	seq INTEGER NOT NULL,
	PRIMARY KEY (sender, channel, join_no, age)
) WITHOUT ROWID;
CREATE TABLE attempts (
	sender BLOB NOT NULL,
	channel TEXT NOT NULL,
	join_no INTEGER NOT NULL,
	run BLOB NOT NULL,
	seq INTEGER NOT NULL,
	count INTEGER NOT NULL,
	PRIMARY KEY (sender, channel, join_no)
) WITHOUT ROWID;
CREATE TABLE dead_letters (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	sender BLOB NOT NULL,
	node TEXT NOT NULL,
	channel TEXT NOT NULL,
	run BLOB NOT NULL,
	seq INTEGER NOT NULL,
	reason TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	wall INTEGER NOT NULL,
	message BLOB NOT NULL
);
CREATE TABLE state (
	namespace TEXT NOT NULL,
	key BLOB NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
CREATE TABLE skips (
	channel TEXT NOT NULL,
	store BLOB NOT NULL,
	join_no INTEGER NOT NULL,
	from_seq INTEGER NOT NULL,
	reason INTEGER NOT NULL,
	to_seq INTEGER NOT NULL,
	PRIMARY KEY (channel, store, join_no, from_seq, reason)
) WITHOUT ROWID;
`

// schemaLetterJoin lets a dead letter that is handled after all be taken from the counts of the join it died for.
const schemaLetterJoin = `
ALTER TABLE dead_letters ADD COLUMN join_no INTEGER NOT NULL DEFAULT 0;
`

// schemaReplaced keeps the place of a reader whose node came with another database, and accounts that agree with a reader that knows
// more of this log than the log itself.
const schemaReplaced = `
ALTER TABLE readers ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE readers ADD COLUMN beyond INTEGER NOT NULL DEFAULT 0;
`

// schemaQuarantine names batches that are damaged; they are never pruned.
const schemaQuarantine = `
CREATE TABLE quarantine (
	first_seq INTEGER PRIMARY KEY,
	found INTEGER NOT NULL,
	cause TEXT NOT NULL
);
`

// schemaBadBatches keeps what came damaged, and was skipped.
const schemaBadBatches = `
CREATE TABLE bad_batches (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	sender BLOB NOT NULL,
	node TEXT NOT NULL,
	channel TEXT NOT NULL,
	run BLOB NOT NULL,
	first_seq INTEGER NOT NULL,
	last_seq INTEGER NOT NULL,
	found INTEGER NOT NULL,
	cause TEXT NOT NULL,
	blob BLOB NOT NULL,
	UNIQUE (channel, sender, run, first_seq)
);
`

// schemaProofs lets a reader that was restored from a copy know which later join it really had.
const schemaProofs = `
ALTER TABLE meta ADD COLUMN secret BLOB NOT NULL DEFAULT x'';
ALTER TABLE readers ADD COLUMN proof BLOB NOT NULL DEFAULT x'';
`

// migrate brings the schema up to date in one transaction and creates the meta row of a new database.
// It writes nothing to a database that is up to date.
func (s *Store) migrate(version int) error {
	if version == len(migrations) {
		return nil
	}
	c := s.w.raw
	if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, m := range migrations[version:] {
		if err := c.Exec(m); err != nil {
			return err
		}
	}
	if err := c.Exec(fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, len(migrations))); err != nil {
		return err
	}
	if version == 0 {
		id := s.opt.NewID()
		if err := s.w.exec(qNewMeta, id, s.opt.NodeID, s.opt.Wall().UnixMilli()); err != nil {
			return err
		}
	}
	if err := s.w.exec(qNewSecret, s.opt.NewID()); err != nil {
		return err
	}
	return c.Exec("COMMIT")
}
