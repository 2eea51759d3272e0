use std::fmt;

/// What the router answers when it does not do something. Nothing was done then, and the call may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such header or key.
    Absent,
    /// An argument that is never legal.
    Argument,
    /// A limit of the plugin is reached.
    Limit,
    /// The configuration does not grant it.
    Denied,
    /// Not possible in this kind of call.
    Misplaced,
    /// A code of a later version of the contract.
    Other(i32),
}

/// A result with the router's error.
pub type Result<T> = core::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Absent => f.write_str("absent"),
            Error::Argument => f.write_str("illegal argument"),
            Error::Limit => f.write_str("limit reached"),
            Error::Denied => f.write_str("not granted in the configuration"),
            Error::Misplaced => f.write_str("not possible here"),
            Error::Other(code) => write!(f, "error {}", code),
        }
    }
}

impl std::error::Error for Error {}

impl From<i32> for Error {
    fn from(code: i32) -> Error {
        match code {
            -1 => Error::Absent,
            -2 => Error::Argument,
            -3 => Error::Limit,
            -4 => Error::Denied,
            -5 => Error::Misplaced,
            _ => Error::Other(code),
        }
    }
}

pub(crate) fn check(code: i32) -> Result<()> {
    if code < 0 {
        Err(code.into())
    } else {
        Ok(())
    }
}
