// Package plugins runs WebAssembly guests that filter and handle messages, under contract rmds1 (docs/abi.md).
//
// A Host compiles modules and owns what they share; Load gives a Plugin, whose Filter, Handle and Tick call the guest. A call never
// changes anything by itself: what the guest emitted, stored and changed comes back in an Outcome, for the caller to commit in one
// transaction with the message's position, or to drop. Whatever the guest does, a call comes back in about its time limit and a
// message is never lost: a trap, an exit or a time-out is the verdict Fault, and the instance it happened in is replaced.
//
// The durable keys of a plugin are read through State. Writes of calls that are not committed yet are kept in an overlay, shared by all calls of
// the plugin, so that a call sees what every earlier one wrote; see Outcome.
package plugins
