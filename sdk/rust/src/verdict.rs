use crate::host;

/// What a plugin says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict(i32);

impl Verdict {
    /// A filter's: goes on, as modified.
    pub const PASS: Verdict = Verdict(0);
    /// A handler's and a tick's: done.
    pub const ACK: Verdict = Verdict(0);
    /// A filter's only: done, goes no further.
    pub const DROP: Verdict = Verdict(1);
    /// Again later; effects are discarded.
    pub const RETRY: Verdict = Verdict(2);

    /// Again after so many milliseconds; effects are discarded.
    pub fn retry_after(ms: i64) -> Verdict {
        host::opt(0, ms.max(0));
        Verdict::RETRY
    }

    /// To the dead letters, with a reason; effects are discarded.
    pub fn dead(reason: &str) -> Verdict {
        fail(reason);
        Verdict(3)
    }

    /// The result as the contract numbers it.
    pub fn code(self) -> i32 {
        self.0
    }
}

/// An error makes a dead letter of the message, with the error as the reason: `f()` may return `Result<Verdict>`, with the router's error, a text, or
/// any other error, and end with `.into()`.
impl<E: std::fmt::Display> From<Result<Verdict, E>> for Verdict {
    fn from(result: Result<Verdict, E>) -> Verdict {
        result.unwrap_or_else(|e| Verdict::dead(&e.to_string()))
    }
}

/// Leaves the reason that goes with the verdict.
pub fn fail(reason: &str) {
    host::fail(reason)
}
