use crate::message::text;
use crate::{host, Result};

/// Level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug = 0,
    Info = 1,
    Warn = 2,
    Error = 3,
}

/// Writes to the router's log at once, whatever becomes of the call.
pub fn log(level: Level, text: &str) {
    host::log(level as i32, text)
}

/// Adds to a counter in the plugin's statistics, at once, whatever becomes of the call.
pub fn stat(name: &str, delta: i64) {
    host::stat(name, delta)
}

/// The plugin's configuration as JSON.
pub fn config() -> String {
    text(5)
}

/// The plugin's configured name.
pub fn name() -> String {
    text(6)
}

/// JSON with statistics, nodes and topology, if granted.
pub fn node_info() -> Result<Vec<u8>> {
    host::fill(|buf| host::read(8, 0, buf)).map_err(|code| code.into())
}

/// The router's time in unix milliseconds.
pub fn now_ms() -> i64 {
    host::num(4)
}

/// A monotonic clock: nanoseconds since some moment.
pub fn monotonic_ns() -> i64 {
    host::num(5)
}

/// 64 random bits.
pub fn random() -> u64 {
    host::num(6) as u64
}

/// How many milliseconds the call under way may still take.
pub fn left_ms() -> i64 {
    host::num(7).max(0)
}
