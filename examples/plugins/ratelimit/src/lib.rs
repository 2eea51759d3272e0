//! ratelimit lets each sender pass `per_second` messages on average and `burst` at once; what is above waits, in order, or is dropped with `drop: true`.
//!
//! It is a token bucket. What it keeps for a sender, under `at/`, is one number: the time at which its bucket is full again. A message moves that by one
//! interval; a sender whose bucket would be full only more than `burst` intervals from now is above its rate.

use rmds::json::member;
use rmds::{Message, Verdict};

rmds::filter!(|m: &Message| -> Verdict { filter(m).into() });

fn filter(m: &Message) -> rmds::Result<Verdict> {
    let config = rmds::config();
    let rate = number(&config, "per_second").unwrap_or(1.0).max(0.001);
    let interval = (1_000_000.0 / rate) as i64; // microseconds
    let allowance = interval * number(&config, "burst").unwrap_or(1.0).max(1.0) as i64;
    let now = rmds::now_ms() * 1000;
    let key = format!("at/{}", m.sender());
    let kept = rmds::get(&key)?.and_then(|v| v.try_into().ok()).map(i64::from_le_bytes);
    let full = kept.unwrap_or(now).clamp(now, now + allowance) + interval; // a clock that jumped must not shut a sender out
    let over = full - now - allowance;
    if over <= 0 {
        rmds::set_counter(&key, full)?;
        return Ok(Verdict::PASS);
    }
    rmds::stat("limited", 1);
    if is_true(&config, "drop") {
        return Ok(Verdict::DROP);
    }
    rmds::fail("above the rate");
    Ok(Verdict::retry_after(over / 1000 + 1))
}

fn number(config: &str, name: &str) -> Option<f64> {
    member(config.as_bytes(), name).ok()??.number()
}

fn is_true(config: &str, name: &str) -> bool {
    matches!(member(config.as_bytes(), name), Ok(Some(value)) if value.raw == b"true")
}
