//! Reads and writes JSON, for the configuration and for messages.
//!
//! A [`Reader`] goes over a text token by token and checks it on the way: the text is JSON once the reader ends without an error.
//!
//! ```
//! use rmds::json::{member, Kind, Reader};
//!
//! let limit = member(br#"{"limit": 2.5}"#, "limit")?.and_then(|v| v.number());
//! assert_eq!(limit, Some(2.5));
//! for token in Reader::new(b"[1, 2]") {
//!     assert!(token?.kind != Kind::Name);
//! }
//! # Ok::<(), rmds::json::Invalid>(())
//! ```

use std::fmt;

/// How deep a text may nest; what is deeper counts as no JSON.
pub const MAX_DEPTH: usize = 512;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object begins.
    Object,
    /// An array begins.
    Array,
    /// The innermost of them ends.
    Close,
    /// A member's name; its value comes next.
    Name,
    String,
    Number,
    /// true, false, null.
    Literal,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    /// As it is written; of a name or a string with its quotes.
    pub raw: &'a [u8],
    /// Where it begins in the text.
    pub at: usize,
}

impl<'a> Token<'a> {
    /// Where it ends in the text.
    pub fn end(&self) -> usize {
        self.at + self.raw.len()
    }

    /// The content of a name or a string; None of anything else. Bytes that are no UTF-8 become U+FFFD, and so does half a surrogate pair.
    pub fn text(&self) -> Option<String> {
        if self.kind != Kind::Name && self.kind != Kind::String {
            return None;
        }
        let inside = String::from_utf8_lossy(&self.raw[1..self.raw.len() - 1]);
        Some(if inside.contains('\\') { unescaped(&inside) } else { inside.into_owned() })
    }

    /// A number; None of anything else.
    pub fn number(&self) -> Option<f64> {
        if self.kind != Kind::Number {
            return None;
        }
        std::str::from_utf8(self.raw).ok()?.parse().ok()
    }
}

/// The text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Where it ceases to be.
    pub at: usize,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no JSON from byte {} on", self.at)
    }
}

impl std::error::Error for Invalid {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Value,
    ValueOrClose,
    Name,
    NameOrClose,
    After,
    Nothing,
}

/// Goes over a text; see the module. After an error it ends.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    want: Want,
    open: Vec<Kind>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { text, at: 0, want: Want::Value, open: Vec::new() }
    }

    /// The whole value that comes next, an object or an array with all that is in it.
    pub fn value(&mut self) -> Option<Result<Token<'a>, Invalid>> {
        let first = match self.next()? {
            Ok(token) => token,
            failed => return Some(failed),
        };
        if first.kind != Kind::Object && first.kind != Kind::Array {
            return Some(Ok(first));
        }
        let depth = self.open.len();
        while self.open.len() >= depth {
            if let Err(e) = self.next()? {
                return Some(Err(e));
            }
        }
        Some(Ok(Token { raw: &self.text[first.at..self.at], ..first }))
    }

    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at - from
    }

    fn string(&mut self) -> bool {
        if self.peek() != b'"' {
            return false;
        }
        self.at += 1;
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    let digits = match self.peek() {
                        b'u' => 4,
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
                        _ => return false,
                    };
                    for _ in 0..digits {
                        self.at += 1;
                        if !self.peek().is_ascii_hexdigit() {
                            return false;
                        }
                    }
                }
                0..=31 => return false,
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        true
    }

    fn number(&mut self) -> bool {
        if self.peek() == b'-' {
            self.at += 1;
        }
        let zero = self.peek() == b'0';
        let digits = self.digits();
        if digits == 0 || (zero && digits > 1) {
            return false;
        }
        if self.peek() == b'.' {
            self.at += 1;
            if self.digits() == 0 {
                return false;
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            return self.digits() > 0;
        }
        true
    }

    fn literal(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word));
        self.at += word.map_or(0, |word| word.len());
        word.is_some()
    }

    /// Goes past one token; None if there is none.
    fn token(&mut self) -> Option<Kind> {
        let c = self.peek();
        if matches!(self.want, Want::Name | Want::NameOrClose) {
            self.want = Want::Value;
            return if self.string() { Some(Kind::Name) } else { None };
        }
        if c == b'{' || c == b'[' {
            let (kind, want) = if c == b'{' { (Kind::Object, Want::NameOrClose) } else { (Kind::Array, Want::ValueOrClose) };
            self.at += 1;
            self.want = want;
            self.open.push(kind);
            return if self.open.len() <= MAX_DEPTH { Some(kind) } else { None };
        }
        self.want = Want::After;
        if c == b'"' {
            return if self.string() { Some(Kind::String) } else { None };
        }
        if self.literal() {
            return Some(Kind::Literal);
        }
        if self.number() { Some(Kind::Number) } else { None }
    }

    /// Goes past one token and what separates it from those beside it.
    fn step(&mut self) -> Option<(Kind, usize, usize)> {
        let object = self.open.last() == Some(&Kind::Object);
        if matches!(self.want, Want::After | Want::ValueOrClose | Want::NameOrClose) && self.peek() == if object { b'}' } else { b']' } {
            self.open.pop()?;
            self.want = Want::After;
            self.at += 1;
            return Some((Kind::Close, self.at - 1, self.at));
        }
        if self.want == Want::After {
            if self.peek() != b',' {
                return None;
            }
            self.at += 1;
            self.space();
            self.want = if object { Want::Name } else { Want::Value };
        }
        let from = self.at;
        let kind = self.token()?;
        let to = self.at;
        if kind == Kind::Name {
            self.space();
            if self.peek() != b':' {
                return None;
            }
            self.at += 1;
        }
        Some((kind, from, to))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Token<'a>, Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.want == Want::Nothing {
            return None;
        }
        self.space();
        if self.want == Want::After && self.open.is_empty() && self.at == self.text.len() {
            self.want = Want::Nothing;
            return None;
        }
        let done = self.want == Want::After && self.open.is_empty();
        match if done { None } else { self.step() } {
            Some((kind, from, to)) => Some(Ok(Token { kind, raw: &self.text[from..to], at: from })),
            None => {
                self.want = Want::Nothing;
                Some(Err(Invalid { at: self.at }))
            }
        }
    }
}

/// The value of a member of the object that the text is; of several with that name the last.
pub fn member<'a>(text: &'a [u8], name: &str) -> Result<Option<Token<'a>>, Invalid> {
    let mut reader = Reader::new(text);
    let mut found = None;
    match reader.next() {
        Some(Ok(Token { kind: Kind::Object, .. })) => {}
        _ => return Err(Invalid { at: 0 }),
    }
    while let Some(token) = reader.next() {
        let token = token?;
        if token.kind != Kind::Name {
            continue; // the end of the object
        }
        let value = reader.value().unwrap_or(Err(Invalid { at: token.end() }))?;
        if token.text().as_deref() == Some(name) {
            found = Some(value);
        }
    }
    Ok(found)
}

/// A text as JSON, with its quotes.
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

fn unescaped(text: &str) -> String {
    let mut units = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next().unwrap_or(c) } else { units.extend(c.encode_utf16(&mut [0; 2]).iter()); continue };
        units.push(match c {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => (0..4).fold(0, |n, _| n << 4 | chars.next().and_then(|c| c.to_digit(16)).unwrap_or(0) as u16),
            c => c as u16,
        });
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Result<Vec<Kind>, Invalid> {
        Reader::new(text.as_bytes()).map(|t| t.map(|t| t.kind)).collect()
    }

    #[test]
    fn tokens() {
        use Kind::*;
        assert_eq!(kinds(r#" {"a":[1,"b"],"c":{}} "#), Ok(vec![Object, Name, Array, Number, String, Close, Name, Object, Close, Close]));
        assert_eq!(kinds("[1] 2"), Err(Invalid { at: 4 }));
        for bad in ["", "{", "[1,]", "{\"a\"}", "01", "1.", "nul", "\"\\x\"", "]", "\"a"] {
            assert!(kinds(bad).is_err(), "{}", bad);
        }
        assert!(kinds(&"[".repeat(MAX_DEPTH + 1)).is_err());
        assert!(kinds(&("[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH))).is_ok());
    }

    #[test]
    fn members() {
        let text = br#"{"a":{"b":1},"b":"x","b":"\ud83d\ude00\n"}"#;
        assert_eq!(member(text, "b").unwrap().unwrap().text().unwrap(), "\u{1f600}\n");
        assert_eq!(member(text, "a").unwrap().unwrap().raw, br#"{"b":1}"#);
        assert_eq!(member(text, "c"), Ok(None));
        assert!(member(b"[]", "c").is_err());
        assert_eq!(quote("a\"\n"), "\"a\\\"\\u000a\"");
    }
}
