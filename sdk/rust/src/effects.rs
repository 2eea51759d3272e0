use crate::error::check;
use crate::{host, Result};

/// A message to send when the call commits; the plugin must be granted the channel.
///
/// ```no_run
/// # fn main() -> rmds::Result<()> {
/// rmds::Emit::to("alerts").header("level", "high").ttl_ms(60_000).send(b"too hot")
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Emit<'a> {
    channel: &'a str,
    headers: Vec<(&'a str, Vec<u8>)>,
    ttl_ms: Option<i64>,
    delay_ms: Option<i64>,
}

impl<'a> Emit<'a> {
    /// Begins a message to a channel.
    pub fn to(channel: &'a str) -> Emit<'a> {
        Emit { channel, headers: Vec::new(), ttl_ms: None, delay_ms: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'a str, value: impl AsRef<[u8]>) -> Emit<'a> {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    /// How long it lives, in milliseconds; without it the channel's usual time.
    pub fn ttl_ms(mut self, ms: i64) -> Emit<'a> {
        self.ttl_ms = Some(ms);
        self
    }

    /// How long to wait before it is sent, in milliseconds.
    pub fn delay_ms(mut self, ms: i64) -> Emit<'a> {
        self.delay_ms = Some(ms);
        self
    }

    /// Adds it to the effects of the call. After an error nothing is sent, but the call may go on.
    pub fn send(self, body: impl AsRef<[u8]>) -> Result<()> {
        if let Err(e) = self.options() {
            host::emit("", &[]); // illegal, and so takes back the options that were accepted
            return Err(e);
        }
        check(host::emit(self.channel, body.as_ref()))
    }

    fn options(&self) -> Result<()> {
        for (name, value) in &self.headers {
            check(host::emit_header(name, value))?;
        }
        if let Some(ms) = self.ttl_ms {
            check(host::opt(1, ms))?;
        }
        if let Some(ms) = self.delay_ms {
            check(host::opt(2, ms))?;
        }
        Ok(())
    }
}
