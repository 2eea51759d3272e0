// Package wire holds the bytes that nodes exchange and the log keeps: subjects, batches of messages, frames and message ids.
// It is pure: no I/O, no clock, no goroutine. docs/protocol.md describes every format in full and changes together with this package.
//
// Every parser treats its input as hostile: it never panics, bounds each count and length before it allocates for it, refuses
// trailing bytes, illegal names and flags it does not know. Encoders trust their caller: a value outside the documented limits
// yields bytes that the parser refuses, unless a method says that it cuts or returns an error.
package wire
