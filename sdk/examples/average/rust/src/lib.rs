//! average keeps the average of each sensor's readings. A tick ends the window: it emits the averages to "averages", and to "alerts" what is above
//! the limit.
//!
//! A reading is `{"sensor": "boiler", "value": 71.5}`. What a window has so far is kept under two counters for each sensor: sum/, in thousandths,
//! and count/. So a crash loses nothing and counts nothing twice.

use rmds::json::{member, quote};
use rmds::{Message, Verdict};
use std::error::Error;

const MAX_SENSOR: usize = 256; // bytes of a sensor's name
const MAX_VALUE: f64 = 1e12;

rmds::start!(|| limit().map(|_| ()).ok_or_else(|| "limit: want a number".into()));
rmds::handle!(|m: &Message| -> Verdict { add(&m.body()).into() });
rmds::tick!(|_| -> Verdict { end().into() });

fn limit() -> Option<f64> {
    member(rmds::config().as_bytes(), "limit").ok()??.number()
}

fn reading(body: &[u8]) -> Option<(String, f64)> {
    let sensor = member(body, "sensor").ok()??.text()?;
    let value = member(body, "value").ok()??.number()?;
    let legal = !sensor.is_empty() && sensor.len() <= MAX_SENSOR && value.abs() <= MAX_VALUE;
    Some((sensor, value)).filter(|_| legal)
}

fn add(body: &[u8]) -> Result<Verdict, Box<dyn Error>> {
    let (sensor, value) = reading(body).ok_or("no reading: want a sensor and a value")?;
    rmds::add(format!("sum/{}", sensor), (value * 1000.0).round() as i64)?;
    rmds::add(format!("count/{}", sensor), 1)?;
    Ok(Verdict::ACK)
}

/// Emits the averages and starts the next window.
fn end() -> Result<Verdict, Box<dyn Error>> {
    let limit = limit().ok_or("limit: want a number")?;
    for key in rmds::keys("count/") {
        let key = String::from_utf8(key?)?;
        let sensor = &key["count/".len()..];
        let sum_key = format!("sum/{}", sensor);
        let (sum, count) = (rmds::add(&sum_key, 0)?, rmds::add(&key, 0)?);
        let average = sum.checked_div(count).ok_or("the window cannot be read")? as f64 / 1000.0;
        let body = format!(r#"{{"sensor":{},"average":{},"count":{}}}"#, quote(sensor), average, count);
        if average > limit {
            rmds::emit("alerts", &body)?;
        }
        rmds::emit("averages", &body)?;
        rmds::delete(&key)?;
        rmds::delete(&sum_key)?;
    }
    Ok(Verdict::ACK)
}
