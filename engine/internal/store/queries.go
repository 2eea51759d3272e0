package store

// query names one prepared statement.
type query int

const (
	qBegin query = iota
	qCommit
	qRollback
	qNewMeta
	qNewSecret
	qMeta
	qSecret
	qSetClean
	qTouch
	qSetNode
	qChannels
	qNewChannel
	qSetChannel
	qFirstBatch
	qLastBatch
	qRuns
	qNewRun
	qMaxSeq
	qTables
	qPages
	qFree
	qAppend
	qRead
	qHeadAt
	qHeadAfter
	qFindHead
	qBlob
	qOldest
	qDrop
	qQuarantine
	qQuarantined
	qEndOf
	qChannelHas
	qExpired
	qReaders
	qSetReader
	qDropReader
	qJoins
	qSetJoin
	qPositions
	qSetPosition
	qPositionRuns
	qDropPositionRuns
	qNewPositionRun
	qAttempts
	qSetAttempt
	qDropAttempt
	qDeadLetters
	qLastDeadLetter
	qDeadLetter
	qBuried
	qRebury
	qNewDeadLetter
	qDropDeadLetter
	qJournaled
	qNewJournal
	qAddJournal
	qJournal
	qJournalBack
	qJournalSince
	qJournalAt
	qJournals
	qOldJournal
	qOldestJournal
	qDropJournal
	qNewBad
	qTrimBad
	qEmptyBad
	qBad
	qBadBlob
	qGet
	qNext
	qFirst
	qSetState
	qDropState
	qSkips
	qSkipBefore
	qExtendSkip
	qNewSkip
	qCopySkips
	qCopyPurged
	qDropSkips
	qSkipTops
	qAudit
	qSetAudit
	qTrimAudit
	queryCount
)

const (
	batchColumns  = "b.first_seq, b.last_seq, b.run, b.prev, b.before, b.earliest, b.latest"
	letterColumns = "id, sender, node, channel, join_no, run, seq, reason, attempts, wall, length(message)"
	totalsColumns = "handled, dead, expired, purged, overflow, pruned, corrupt"
)

var queries = [queryCount]string{
	qBegin:     "BEGIN IMMEDIATE",
	qCommit:    "COMMIT",
	qRollback:  "ROLLBACK",
	qNewMeta:   "INSERT INTO meta(id, store, node, created, engine, clean) VALUES(1, ?, ?, ?, 0, 1)",
	qNewSecret: "UPDATE meta SET secret = ? WHERE length(secret) = 0",
	qMeta:      "SELECT store, node, created, engine, clean FROM meta", // of every version
	qSecret:    "SELECT secret FROM meta",
	qSetClean:  "UPDATE meta SET clean = ?, engine = ?",
	qTouch:     "UPDATE meta SET clean = 0, engine = engine + 1",
	qSetNode:   "UPDATE meta SET node = ?",

	qChannels:   "SELECT id, name, open_from, open_total, floor, floor_total FROM channels",
	qNewChannel: "INSERT INTO channels(id, name) VALUES(?, ?)",
	qSetChannel: "UPDATE channels SET open_from = ?, open_total = ?, floor = ?, floor_total = ? WHERE id = ?",
	qFirstBatch: "SELECT first_seq, before FROM batches WHERE channel = ? AND first_seq > ? ORDER BY first_seq LIMIT 1",
	qLastBatch:  "SELECT first_seq, last_seq, before FROM batches WHERE channel = ? AND first_seq > ? ORDER BY first_seq DESC LIMIT 1",
	qRuns:       "SELECT run, first_seq FROM runs ORDER BY first_seq",
	qNewRun:     "INSERT INTO runs(first_seq, run) VALUES(?, ?)",
	qMaxSeq:     "SELECT last_seq FROM batches ORDER BY first_seq DESC LIMIT 1",

	qPages:  "PRAGMA page_count",
	qFree:   "PRAGMA freelist_count",
	qTables: "SELECT count(*) FROM sqlite_schema",

	qAppend: "INSERT INTO batches(first_seq, last_seq, run, channel, prev, before, stored, bytes, earliest, latest, blob)" +
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	qRead: "SELECT " + batchColumns + ", length(b.blob), CASE WHEN length(b.blob) > ?3 THEN x'' ELSE b.blob END FROM batches b WHERE b.channel = ?1 AND b.last_seq > ?2 AND b.first_seq >=" +
		" coalesce((SELECT first_seq FROM batches WHERE channel = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1), 0) ORDER BY b.first_seq",
	qHeadAt:      "SELECT " + batchColumns + " FROM batches b WHERE b.channel = ? AND b.first_seq <= ? ORDER BY b.first_seq DESC LIMIT 1",
	qHeadAfter:   "SELECT " + batchColumns + " FROM batches b WHERE b.channel = ? AND b.first_seq > ? ORDER BY b.first_seq LIMIT 1",
	qFindHead:    "SELECT " + batchColumns + ", c.name FROM batches b JOIN channels c ON c.id = b.channel WHERE b.first_seq <= ? ORDER BY b.first_seq DESC LIMIT 1",
	qBlob:        "SELECT blob FROM batches WHERE first_seq = ?",
	qOldest:      "SELECT first_seq, last_seq, before, stored, length(blob) FROM batches WHERE channel = ? AND first_seq NOT IN (SELECT first_seq FROM quarantine) ORDER BY first_seq LIMIT ?",
	qDrop:        "DELETE FROM batches WHERE first_seq = ?",
	qQuarantined: "SELECT first_seq, found, cause FROM quarantine ORDER BY first_seq",
	qEndOf:       "SELECT last_seq FROM batches WHERE first_seq = ?",
	// The index alone answers it: of a page that is damaged nothing is read.
	qChannelHas: "SELECT 1 FROM batches INDEXED BY batches_channel WHERE channel = ? AND first_seq = ?",
	qQuarantine: "INSERT OR IGNORE INTO quarantine(first_seq, found, cause) VALUES(?, ?, ?)",
	qExpired: "SELECT " + batchColumns + ", c.name FROM batches b JOIN channels c ON c.id = b.channel" +
		" WHERE b.latest > 0 AND b.latest > ? AND b.latest <= ? ORDER BY b.latest, b.first_seq LIMIT ?",

	qReaders: "SELECT store, channel, join_no, node, start, position, start_total, done, end_total, removed, ended, " + totalsColumns + ", replaced, beyond, proof FROM readers",
	qSetReader: "INSERT OR REPLACE INTO readers(store, channel, join_no, node, start, position, start_total, done, end_total, removed, ended, " + totalsColumns + ", replaced, beyond, proof)" +
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	qDropReader: "DELETE FROM readers WHERE store = ? AND channel = ? AND join_no = ?",
	qJoins:      "SELECT channel, number, role, ended FROM joins",
	qSetJoin:    "INSERT OR REPLACE INTO joins(channel, number, role, ended) VALUES(?, ?, ?, ?)",

	qPositions: "SELECT sender, channel, join_no, node, run, seq, " + totalsColumns + " FROM positions",
	qSetPosition: "INSERT OR REPLACE INTO positions(sender, channel, join_no, node, run, seq, " + totalsColumns + ")" +
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	qPositionRuns:     "SELECT sender, channel, join_no, run, seq FROM position_runs ORDER BY sender, channel, join_no, age",
	qDropPositionRuns: "DELETE FROM position_runs WHERE sender = ? AND channel = ? AND join_no = ?",
	qNewPositionRun:   "INSERT INTO position_runs(sender, channel, join_no, age, run, seq) VALUES(?, ?, ?, ?, ?, ?)",
	qAttempts:         "SELECT sender, channel, join_no, run, seq, count FROM attempts",
	qSetAttempt:       "INSERT OR REPLACE INTO attempts(sender, channel, join_no, run, seq, count) VALUES(?, ?, ?, ?, ?, ?)",
	qDropAttempt:      "DELETE FROM attempts WHERE sender = ? AND channel = ? AND join_no = ?",

	qDeadLetters: "SELECT " + letterColumns + " FROM dead_letters WHERE id > ?1 AND (?2 = 0 OR id <= ?2) AND (?3 = '' OR channel = ?3) AND (?4 = '' OR node = ?4)" +
		" ORDER BY id LIMIT ?5",
	qLastDeadLetter: "SELECT coalesce(max(id), 0) FROM dead_letters",
	qDeadLetter:     "SELECT " + letterColumns + ", message FROM dead_letters WHERE id = ?",
	qBuried:         "SELECT sender, channel, join_no FROM dead_letters WHERE id = ?",
	qRebury:         "UPDATE dead_letters SET reason = ?, attempts = ?, wall = ? WHERE id = ?",
	qNewDeadLetter: "INSERT INTO dead_letters(sender, node, channel, join_no, run, seq, reason, attempts, wall, message)" +
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	qDropDeadLetter: "DELETE FROM dead_letters WHERE id = ?",

	qNewBad: "INSERT INTO bad_batches(sender, node, channel, run, first_seq, last_seq, found, cause, blob) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq, found = excluded.found, cause = excluded.cause, blob = excluded.blob RETURNING id",
	qTrimBad: "DELETE FROM bad_batches WHERE id NOT IN (SELECT id FROM bad_batches ORDER BY id DESC LIMIT ?)",
	qEmptyBad: "UPDATE bad_batches SET blob = x'' WHERE length(blob) > 0 AND id IN" +
		" (SELECT id FROM (SELECT id, sum(length(blob)) OVER (ORDER BY id DESC) AS bytes FROM bad_batches) WHERE bytes > ?)",
	qBad:     "SELECT id, sender, node, channel, run, first_seq, last_seq, found, cause, length(blob) FROM bad_batches ORDER BY id",
	qBadBlob: "SELECT blob FROM bad_batches WHERE id = ?",

	qJournaled:     "SELECT id, ranges FROM journal WHERE channel = ? AND sender = ? AND run = ? AND first_seq = ?",
	qNewJournal:    "INSERT INTO journal(channel, sender, node, run, first_seq, ranges, stored, wall, blob) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
	qAddJournal:    "UPDATE journal SET ranges = ? WHERE id = ?",
	qJournal:       "SELECT id, sender, node, run, first_seq, ranges, wall, blob FROM journal WHERE channel = ? AND id >= ? ORDER BY id",
	qJournalBack:   "SELECT id, ranges FROM journal WHERE channel = ? ORDER BY id DESC",
	qJournalSince:  "SELECT id FROM journal WHERE channel = ? AND wall >= ? ORDER BY id LIMIT 1",
	qJournalAt:     "SELECT id FROM journal WHERE channel = ? AND sender = ? AND run = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
	qJournals:      "SELECT DISTINCT channel FROM journal",
	qOldJournal:    "SELECT id FROM journal WHERE channel = ? AND stored <= ? ORDER BY id LIMIT ?",
	qOldestJournal: "SELECT id, length(blob) FROM journal ORDER BY id LIMIT ?",
	qDropJournal:   "DELETE FROM journal WHERE id = ?",

	qGet:       "SELECT value FROM state WHERE namespace = ? AND key = ?",
	qNext:      "SELECT key, value FROM state WHERE namespace = ? AND key > ? ORDER BY key LIMIT ?",
	qFirst:     "SELECT key, value FROM state WHERE namespace = ? AND key >= ? ORDER BY key LIMIT ?",
	qSetState:  "INSERT OR REPLACE INTO state(namespace, key, value) VALUES(?, ?, ?)",
	qDropState: "DELETE FROM state WHERE namespace = ? AND key = ?",

	qSkips: "SELECT from_seq, to_seq, reason FROM skips WHERE channel = ? AND store = ? AND join_no = ? AND from_seq <= ? AND to_seq >= ? ORDER BY from_seq",
	qSkipBefore: "SELECT from_seq, to_seq, reason FROM skips WHERE channel = ? AND store = ? AND join_no = ? AND from_seq <= ?" +
		" ORDER BY from_seq DESC LIMIT 1",
	qExtendSkip: "UPDATE skips SET to_seq = ? WHERE channel = ? AND store = ? AND join_no = ? AND from_seq = ? AND reason = ?",
	qNewSkip:    "INSERT INTO skips(channel, store, join_no, from_seq, reason, to_seq) VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET to_seq = max(to_seq, excluded.to_seq)",
	qCopySkips: "INSERT INTO skips(channel, store, join_no, from_seq, reason, to_seq) SELECT channel, ?, ?, from_seq, reason, to_seq FROM skips" +
		" WHERE channel = ? AND store = ? AND join_no = ? ON CONFLICT DO UPDATE SET to_seq = max(to_seq, excluded.to_seq)",
	qCopyPurged: "INSERT INTO skips(channel, store, join_no, from_seq, reason, to_seq) SELECT channel, ?, ?, from_seq, reason, to_seq FROM skips" +
		" WHERE channel = ? AND store = ? AND join_no = ? AND reason = 2 ON CONFLICT DO UPDATE SET to_seq = max(to_seq, excluded.to_seq)",
	qDropSkips: "DELETE FROM skips WHERE channel = ? AND to_seq <= ?",
	qSkipTops:  "SELECT channel, max(to_seq) FROM skips GROUP BY channel",

	qAudit: "SELECT id, store, run, number, node, wall, action, outcome, failed, over FROM audit ORDER BY id DESC",
	qSetAudit: "INSERT INTO audit(store, run, number, node, wall, action, outcome, failed, over) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT(store, run, number) DO UPDATE SET outcome = excluded.outcome, failed = excluded.failed, over = excluded.over",
	qTrimAudit: "DELETE FROM audit WHERE id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?)",
}
