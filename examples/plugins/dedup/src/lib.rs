//! dedup drops a message whose key came before within the window. The key is a header's value, or the whole body where the header is missing.
//!
//! Every key seen is kept under `seen/` with the time it came. A tick takes out those that are older than the window.

use rmds::json::member;
use rmds::{Message, Verdict};

rmds::filter!(|m: &Message| -> Verdict { filter(m).into() });
rmds::tick!(|now| -> Verdict { forget(now).into() });

/// How many old keys one tick takes out: it must end within its time.
const AT_ONCE: usize = 1000;

fn filter(m: &Message) -> rmds::Result<Verdict> {
    let config = rmds::config();
    let key = header(&config).and_then(|name| m.header(&name)).unwrap_or_else(|| m.body());
    let now = rmds::now_ms();
    let place = format!("seen/{:016x}{:016x}", hash(&key, 0), hash(&key, 1));
    if let Some(seen) = rmds::get(&place)?.and_then(number) {
        if now - seen < window(&config) {
            rmds::stat("repeated", 1);
            return Ok(Verdict::DROP);
        }
    }
    rmds::set_counter(&place, now)?;
    Ok(Verdict::PASS)
}

fn forget(now: i64) -> rmds::Result<Verdict> {
    let window = window(&rmds::config());
    let mut old = Vec::new();
    for key in rmds::keys("seen/") {
        let key = key?;
        if rmds::get(&key)?.and_then(number).map_or(true, |seen| now - seen >= window) {
            old.push(key);
        }
        if old.len() == AT_ONCE || rmds::left_ms() < 20 {
            break;
        }
    }
    for key in &old {
        rmds::delete(key)?;
    }
    rmds::stat("forgotten", old.len() as i64);
    Ok(Verdict::ACK)
}

fn window(config: &str) -> i64 {
    member(config.as_bytes(), "window_ms").ok().flatten().and_then(|v| v.number()).map_or(60_000, |ms| ms as i64)
}

fn header(config: &str) -> Option<String> {
    member(config.as_bytes(), "header").ok()??.text()
}

fn number(value: Vec<u8>) -> Option<i64> {
    Some(i64::from_le_bytes(value.try_into().ok()?))
}

/// FNV-1a, 64 bits, from a chosen start: two of them together are long enough that two keys do not meet by chance.
fn hash(bytes: &[u8], start: u64) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ start.wrapping_mul(0x9e37_79b9_7f4a_7c15), |h, b| (h ^ *b as u64).wrapping_mul(0x0000_0100_0000_01b3))
}
