use crate::error::check;
use crate::{host, Error, Result};

/// The smallest counter; below it lie the errors of kv_add.
const MIN_COUNTER: i64 = i64::MIN + 16;

/// The value of a key, None if it is absent.
pub fn get(key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
    present(host::fill(|buf| host::kv_get(key.as_ref(), buf)))
}

/// Stores a value under a key.
pub fn set(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
    check(host::kv_set(key.as_ref(), value.as_ref()))
}

/// Removes a key, present or not.
pub fn delete(key: impl AsRef<[u8]>) -> Result<()> {
    check(host::kv_del(key.as_ref()))
}

/// Adds to a counter and gives the sum. An absent key counts from zero; a counter is eight bytes, little-endian. A sum that 64 bits cannot
/// hold is [`Error::Limit`], a value that is no counter [`Error::Argument`]; then nothing changes.
pub fn add(key: impl AsRef<[u8]>, delta: i64) -> Result<i64> {
    let sum = host::kv_add(key.as_ref(), delta);
    if sum < MIN_COUNTER {
        return Err(Error::from((i64::MIN - sum) as i32));
    }
    Ok(sum)
}

/// Stores a number as [`add`] does.
pub fn set_counter(key: impl AsRef<[u8]>, n: i64) -> Result<()> {
    set(key, n.to_le_bytes())
}

/// The smallest key above after, in byte order; an empty one starts at the first. None when there is none.
pub fn next(after: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
    present(host::fill(|buf| host::kv_next(after.as_ref(), buf)))
}

fn present(r: core::result::Result<Vec<u8>, i32>) -> Result<Option<Vec<u8>>> {
    match r {
        Ok(value) => Ok(Some(value)),
        Err(-1) => Ok(None),
        Err(code) => Err(code.into()),
    }
}

/// All keys that start with prefix, in byte order.
pub fn keys(prefix: impl AsRef<[u8]>) -> Keys {
    let prefix = prefix.as_ref().to_vec();
    Keys { after: prefix.clone(), prefix, begun: false, ended: false }
}

/// The keys that [`keys`] finds. An error ends the sequence.
#[derive(Debug)]
pub struct Keys {
    prefix: Vec<u8>,
    after: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl Keys {
    fn find(&mut self) -> Result<Option<Vec<u8>>> {
        if !self.begun {
            self.begun = true;
            if !self.prefix.is_empty() && get(&self.prefix)?.is_some() {
                return Ok(Some(self.prefix.clone()));
            }
        }
        let found = next(&self.after)?.filter(|key| key.starts_with(&self.prefix));
        if let Some(key) = &found {
            self.after = key.clone();
        }
        Ok(found)
    }
}

impl Iterator for Keys {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = self.find().transpose();
        self.ended = !matches!(found, Some(Ok(_)));
        found
    }
}
