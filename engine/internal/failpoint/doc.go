// Package failpoint marks the places in the engine at which a test wants the process to die. They exist only in binaries built with the
// tag "failpoints", and there the environment variable RMDS_FAILPOINT chooses one, such as store.before-commit:3: the process kills
// itself, as kill -9 does, when it passes that place for the third time. In every other binary Pass is empty, so that the compiler
// leaves no trace of it.
//
// The places are named in the code that passes them, and test/kill has a table of them all.
package failpoint

// Variable is the environment variable that chooses.
const Variable = "RMDS_FAILPOINT"
