// Package crashvfs is a SQLite VFS in memory that fails the way disks and processes do: on a power cut, what was not synced is lost,
// kept or torn at 512-byte sectors; when the process is killed, everything written so far stays.
//
// A [Disk] belongs to one process at a time. [Disk.Kill] or a cut makes every further operation fail; [Disk.Restart] and
// [Disk.PowerCut] then give the disk that the next process finds. There is no shared memory: SQLite's write-ahead log works with
// one connection in exclusive locking mode. Nothing blocks and nothing touches the operating system, so it works in a synctest
// bubble, and a seed decides all that is left to chance.
//
// The name of a new file is durable only after its folder was synced. As on the operating system's VFS, that happens with the first
// sync of a journal or write-ahead log that its opener created, with a Delete that asks for it, and with SyncDir, which the VFS offers to its users.
package crashvfs
