//! Write plugins of RMDS Router in Rust.
//!
//! A plugin is a `cdylib` that registers what it does with one macro for each entry point:
//!
//! ```
//! use rmds::{Message, Verdict};
//!
//! rmds::handle!(|_: &Message| -> Verdict {
//!     match rmds::add("messages", 1) {
//!         Ok(_) => Verdict::ACK,
//!         Err(e) => Verdict::dead(&e.to_string()),
//!     }
//! });
//! # fn main() {}
//! ```
//!
//! | macro | the function it takes | called |
//! |---|---|---|
//! | [`filter!`] | `Fn(&Message) -> Verdict` | for a message on its way: pass, change or drop it |
//! | [`handle!`] | `Fn(&Message) -> Verdict` | to consume a message |
//! | [`tick!`] | `Fn(i64) -> Verdict` | at the configured interval, with the time in unix milliseconds |
//! | [`start!`] | `Fn() -> Result<(), String>` | once for every instance; an error refuses to start |
//! | [`health!`] | `Fn() -> Result<(), String>` | to ask whether the plugin is well; keys cannot be read |
//! | [`stop!`] | `Fn()` | before an instance ends in good order |
//!
//! Build it with `cargo build --release --target wasm32-unknown-unknown`, with `panic = "abort"` in the release profile.
//!
//! Emits, keys and changes of the message are effects: they are committed together with the message when the verdict is ACK,
//! PASS or DROP, and otherwise not at all. Instances come and go without notice: variables are a cache, what has to last is a key.
//! A panic ends the call with its text, file and line as the reason; its effects are discarded.
//!
//! On other targets the crate compiles, so that a plugin's own functions can be tested natively, but whatever needs the router
//! answers [`Error::Misplaced`] or nothing.

mod effects;
mod entry;
mod error;
mod host;
mod info;
pub mod json;
mod kv;
mod message;
mod verdict;

pub use effects::Emit;
pub use error::{Error, Result};
pub use info::{config, left_ms, log, monotonic_ns, name, node_info, now_ms, random, stat, Level};
pub use kv::{add, delete, get, keys, next, set, set_counter, Keys};
pub use message::{Header, Message};
pub use verdict::{fail, Verdict};

#[doc(hidden)]
pub use entry::{run_message, run_report, run_stop, run_tick};

/// Sends a message with nothing but a body; see [`Emit`] for headers, time to live and delay.
pub fn emit(channel: &str, body: impl AsRef<[u8]>) -> Result<()> {
    Emit::to(channel).send(body)
}
