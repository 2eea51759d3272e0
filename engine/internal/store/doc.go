// Package store is a node's one database: the log of what it sent, the readers of that log, its own positions in the logs of
// others, and everything a handler's verdict commits with them.
//
// # The one writer
//
// One goroutine owns the connection that writes. It takes all that is queued, applies it in the order of submission, and commits
// it as one SQLite transaction, so that an fsync is shared by all who wait for it. Each [Tx] is atomic: a crash leaves all of it
// or nothing. A Tx's Done is called with nil only after its commit is durable (with Options.Sync "normal": durable against the
// end of the process, not against a power cut).
//
// # What is held in memory
//
// The heads of the channels, the readers, positions, attempts, joins and runs are kept in memory as of the last commit; asking for
// them reads no SQL. So are the newest batches, up to Options.TailBytes: a reader in step with the log never touches the disk.
//
// # Errors
//
// A full disk is an ordinary outcome: nothing of the transaction is written, and [ErrFull] says so. Work marked Must stays in
// line and is tried again; positions and the like go ahead of work that needs room, out of a reserve kept for that. Any other error
// leaves the transaction's outcome unknown: the store fails for good, writes nothing more, and has to be opened again.
package store
