use crate::error::check;
use crate::{host, Result};

/// A name with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub value: Vec<u8>,
}

/// The message of the call under way. What it is asked for is fetched from the router, and always shows the message as it came in,
/// whatever was set.
#[derive(Debug)]
pub struct Message {
    size: usize,
}

impl Message {
    pub(crate) fn new(size: i32) -> Message {
        Message { size: size.max(0) as usize }
    }

    /// The length of the body in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The body.
    pub fn body(&self) -> Vec<u8> {
        let mut body = vec![0; self.size];
        self.read_body(0, &mut body);
        body
    }

    /// Copies the body from an offset on into buf and returns how many bytes that were.
    pub fn read_body(&self, offset: usize, buf: &mut [u8]) -> usize {
        host::read(0, offset as u32, buf);
        self.size.saturating_sub(offset).min(buf.len())
    }

    /// Names the message for ever.
    pub fn id(&self) -> String {
        text(1)
    }

    /// Where it was sent.
    pub fn channel(&self) -> String {
        text(2)
    }

    /// The id of the node that sent it.
    pub fn sender(&self) -> String {
        text(3)
    }

    /// Why the attempt before failed, empty at the first.
    pub fn last_error(&self) -> String {
        text(7)
    }

    /// 1 at the first.
    pub fn attempt(&self) -> i64 {
        host::num(1)
    }

    /// The message's number in its sender's log.
    pub fn seq(&self) -> u64 {
        host::num(3) as u64
    }

    /// When it was sent, by the sender's clock, in unix milliseconds.
    pub fn created_ms(&self) -> i64 {
        host::num(0)
    }

    /// When it expires, in unix milliseconds; None if it never does.
    pub fn expires_ms(&self) -> Option<i64> {
        Some(host::num(2)).filter(|ms| *ms > 0)
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        host::fill(|buf| host::header(name, buf)).ok()
    }

    /// All headers, in order.
    pub fn headers(&self) -> Vec<Header> {
        parse_headers(&host::fill(|buf| host::read(4, 0, buf)).unwrap_or_default())
    }

    /// Replaces the body; filters only, here and below.
    pub fn set_body(&self, body: impl AsRef<[u8]>) -> Result<()> {
        check(host::set(0, body.as_ref()))
    }

    /// Redirects the message to another channel, which needs the grant to emit there.
    pub fn set_channel(&self, channel: &str) -> Result<()> {
        check(host::set(2, channel.as_bytes()))
    }

    /// Sets a header, in place of all of that name.
    pub fn set_header(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        check(host::set_header(name, value.as_ref()))
    }

    /// Removes all headers of that name.
    pub fn delete_header(&self, name: &str) -> Result<()> {
        check(host::delete_header(name))
    }
}

pub(crate) fn text(field: i32) -> String {
    String::from_utf8_lossy(&host::fill(|buf| host::read(field, 0, buf)).unwrap_or_default()).into_owned()
}

/// Reads a header block: u32 count, then u32 length, name, u32 length, value for each. It stops where the block does.
fn parse_headers(mut block: &[u8]) -> Vec<Header> {
    let mut headers = Vec::new();
    let count = cut_number(&mut block).unwrap_or(0);
    for _ in 0..count {
        match (cut(&mut block), cut(&mut block)) {
            (Some(name), Some(value)) => headers.push(Header { name: String::from_utf8_lossy(name).into_owned(), value: value.to_vec() }),
            _ => break,
        }
    }
    headers
}

fn cut_number(block: &mut &[u8]) -> Option<usize> {
    if block.len() < 4 {
        return None;
    }
    let (number, rest) = block.split_at(4);
    *block = rest;
    Some(u32::from_le_bytes([number[0], number[1], number[2], number[3]]) as usize)
}

fn cut<'a>(block: &mut &'a [u8]) -> Option<&'a [u8]> {
    let n = cut_number(block)?;
    if n > block.len() {
        return None;
    }
    let (value, rest) = block.split_at(n);
    *block = rest;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_block() {
        let block = [2, 0, 0, 0, 1, 0, 0, 0, 0x61, 1, 0, 0, 0, 0x31, 1, 0, 0, 0, 0x62, 0, 0, 0, 0];
        let want = vec![Header { name: "a".into(), value: b"1".to_vec() }, Header { name: "b".into(), value: vec![] }];
        assert_eq!(parse_headers(&block), want);
        for cut in 0..block.len() {
            assert!(parse_headers(&block[..cut]).len() < 2);
        }
        assert!(parse_headers(&[255, 255, 255, 255, 255, 255, 255, 255]).is_empty());
    }
}
