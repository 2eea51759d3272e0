//! The plugin of ../vectors.json in Rust: the first word of a body says what to do.

use rmds::{Emit, Error, Header, Message, Verdict};
use std::sync::atomic::{AtomicBool, Ordering};

static STARTED: AtomicBool = AtomicBool::new(false);
static UNWELL: AtomicBool = AtomicBool::new(false);

rmds::start!(|| {
    STARTED.store(true, Ordering::Relaxed);
    match rmds::get("key") {
        Err(Error::Misplaced) => Ok(()),
        other => Err(format!("a key can be read at the start: {:?}", other)),
    }
});
rmds::filter!(filter);
rmds::handle!(|m: &Message| -> Verdict { handle(m).into() });
rmds::tick!(|now| -> Verdict { rmds::emit("out", format!("tick {}", now)).map(|_| Verdict::ACK).into() });
rmds::health!(|| if UNWELL.load(Ordering::Relaxed) { Err("a bit unwell".into()) } else { Ok(()) });
rmds::stop!(|| rmds::log(rmds::Level::Warn, "bye"));

fn filter(m: &Message) -> Verdict {
    let body = m.body();
    let (word, rest) = cut(&body);
    let done = match word {
        "body" => m.set_body(rest),
        "channel" => m.set_channel(rest),
        "header" => m.set_header("set", rest).and_then(|_| m.delete_header("a")),
        "drop" => return Verdict::DROP,
        "dead" => return Verdict::dead(rest),
        _ => Ok(()),
    };
    done.map(|_| Verdict::PASS).into()
}

fn handle(m: &Message) -> rmds::Result<Verdict> {
    let body = m.body();
    let (word, rest) = cut(&body);
    match word {
        "describe" => describe(m)?,
        "kv" => keys()?,
        "emit" => {
            Emit::to("out").header("h", "v").ttl_ms(1000).delay_ms(2000).send(rest)?;
            if Emit::to("out").header("", "v").ttl_ms(1).send("") != Err(Error::Argument) {
                panic!("an illegal header is taken")
            }
            rmds::emit("out", "plain")?
        }
        "denied" => rmds::emit("elsewhere", "")?,
        "retry" => return Ok(Verdict::retry_after(1500)),
        "log" => rmds::log(rmds::Level::Warn, rest),
        "panic" => panic!("on purpose"),
        "large" => {
            let sum: u64 = body.iter().map(|b| *b as u64).sum();
            rmds::emit("out", format!("{} bytes, sum {}", m.size(), sum))?
        }
        "unwell" => UNWELL.store(true, Ordering::Relaxed),
        _ => {}
    }
    Ok(Verdict::ACK)
}

fn cut(body: &[u8]) -> (&str, &str) {
    let text = std::str::from_utf8(body).unwrap_or("");
    text.split_once(' ').unwrap_or((text, ""))
}

fn describe(m: &Message) -> rmds::Result<()> {
    rmds::stat("described", 2);
    let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
    let pair = |h: &Header| format!("{}={}", h.name, String::from_utf8_lossy(&h.value));
    let headers: Vec<String> = m.headers().iter().map(pair).collect();
    rmds::emit(
        "out",
        format!(
            "{} {} {} {} {} attempt {} seq {} created {} expires {} a={} {} z [{}] {} {} {} size {} {}",
            if STARTED.load(Ordering::Relaxed) { "started" } else { "not started" },
            m.id(),
            m.channel(),
            m.sender(),
            m.last_error(),
            m.attempt(),
            m.seq(),
            m.created_ms(),
            m.expires_ms().unwrap_or(0),
            m.header("a").map(text).unwrap_or_default(),
            if m.header("z").is_none() { "no" } else { "a" },
            headers.join(" "),
            rmds::config(),
            rmds::name(),
            text(rmds::node_info()?),
            m.size(),
            if rmds::left_ms() > 0 && rmds::now_ms() > 1_500_000_000_000 { "clock" } else { "no clock" },
        ),
    )
}

/// Walks through every function on keys and says what came out.
fn keys() -> rmds::Result<()> {
    let mut said = vec![if rmds::get("n")?.is_none() { "absent".to_string() } else { "present".into() }];
    said.push(rmds::add("n", 5)?.to_string());
    said.push(rmds::add("n", -7)?.to_string());
    rmds::set("a/2", "two")?;
    rmds::set("a/1", vec![0; 1000])?;
    rmds::set_counter("a", 9)?;
    said.push(format!("{} bytes", rmds::get("a/1")?.unwrap_or_default().len()));
    said.push(String::from_utf8_lossy(&rmds::get("a/2")?.unwrap_or_default()).into_owned());
    said.push(rmds::add("a/2", 1).map_or_else(|e| e.to_string(), |n| n.to_string()));
    rmds::delete("n")?;
    for prefix in ["", "a", "a/", "z"] {
        let found: rmds::Result<Vec<Vec<u8>>> = rmds::keys(prefix).collect();
        said.push(found?.iter().map(|k| String::from_utf8_lossy(k).into_owned()).collect::<Vec<_>>().join(" "));
    }
    said.push(if rmds::next("a/2")?.is_none() { "end".into() } else { "more".to_string() });
    rmds::emit("out", said.join("; "))
}
