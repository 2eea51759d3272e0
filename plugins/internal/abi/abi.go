// Package abi holds what host and guest agree on in contract rmds1: names, numbers, types, limits of names and the bytes
// that cross the border. It is pure: it knows neither wazero nor the host. docs/abi.md describes the same for authors of plugins.
package abi

// Module is the import module whose functions the host offers. It is the version of the contract: functions may be added to it,
// but a signature never changes.
const Module = "rmds1"

// Fields of read.
const (
	FieldBody      = 0
	FieldID        = 1
	FieldChannel   = 2
	FieldSender    = 3
	FieldHeaders   = 4
	FieldConfig    = 5
	FieldPlugin    = 6
	FieldLastError = 7
	FieldNodeInfo  = 8
)

// Fields of num.
const (
	NumCreated   = 0 // unix milliseconds
	NumAttempt   = 1 // 1 at the first
	NumExpires   = 2 // unix milliseconds, 0 never
	NumSeq       = 3
	NumNow       = 4 // unix milliseconds
	NumMonotonic = 5 // nanoseconds since some moment before the host's start
	NumRandom    = 6 // 64 random bits
	NumLeft      = 7 // milliseconds this call may still take
)

// Keys of opt.
const (
	OptRetryAfter = 0 // milliseconds before the next attempt, with verdict 2
	OptTTL        = 1 // milliseconds the next emit lives
	OptDelay      = 2 // milliseconds before the next emit is sent
	OptOffers     = 3 // in rmds_init only: the entry points in use, a bit set of Offer values
)

// Bits of OptOffers: which of the exported entry points a plugin really serves. A language whose toolkit always exports all of
// them needs it; who never sets it offers what it exports.
const (
	OfferFilter = 1
	OfferHandle = 2
	OfferTick   = 4
)

// Results of imports. Zero and above is success.
const (
	OK        = 0
	Absent    = -1 // no such header, key or field value
	Argument  = -2 // an argument that is never legal
	Limit     = -3 // a limit of the plugin is reached; nothing was done
	Denied    = -4 // not granted to this plugin
	Misplaced = -5 // not possible in this kind of call
)

// Verdicts, as an entry point returns them.
const (
	VerdictDone  = 0 // pass, or ack
	VerdictDrop  = 1 // filters only
	VerdictRetry = 2
	VerdictDead  = 3
)

// Levels of log.
const (
	LevelDebug = 0
	LevelInfo  = 1
	LevelWarn  = 2
	LevelError = 3
)

// Exports that the host looks for.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"
	ExportInit       = "rmds_init"
	ExportFilter     = "rmds_filter"
	ExportHandle     = "rmds_handle"
	ExportTick       = "rmds_tick"
	ExportHealth     = "rmds_health"
	ExportStop       = "rmds_stop"
	ExportStart      = "_start"
)
