// Package chaos hurts a small network of real routers for a while and then checks that every promise was kept: what users run as
// `rmds-router chaos` to see for themselves, on their machine and their disk.
//
// The network is processes of this very binary: a NATS, a writer, and readers. Three streams of numbered messages go to the writer over
// HTTP. Every reader hands them to a plugin that counts each and emits it to a second channel, which all readers read and write to a
// file. Meanwhile processes are killed with SIGKILL and started again, NATS goes away, processes are paused, and storages are made so
// small that they are full. At the end everything runs again, and when nothing is pending any more, files, counts and accounts are held
// against what was sent.
package chaos
