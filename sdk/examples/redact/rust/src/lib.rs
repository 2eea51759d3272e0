//! redact writes "***" in place of what the members that the configuration names hold, at any depth. Every other byte stays as it is. What is no
//! JSON becomes a dead letter: nobody could say what is in it.

use rmds::json::{self, Kind, Reader};
use rmds::{Message, Verdict};
use std::cell::RefCell;
use std::error::Error;

rmds::start!(|| {
    let names = fields(&rmds::config()).filter(|names| !names.is_empty()).ok_or("fields: want a list of names")?;
    FIELDS.with(|fields| fields.replace(names));
    Ok(())
});
rmds::filter!(|m: &Message| -> Verdict { FIELDS.with(|fields| filter(m, &fields.borrow()).into()) });

thread_local!(static FIELDS: RefCell<Vec<String>> = RefCell::new(Vec::new()));

fn fields(config: &str) -> Option<Vec<String>> {
    let list = json::member(config.as_bytes(), "fields").ok()??;
    Some(Reader::new(list.raw).filter_map(|token| token.ok()?.text()).collect())
}

fn filter(m: &Message, fields: &[String]) -> Result<Verdict, Box<dyn Error>> {
    let body = m.body();
    let (mut out, mut kept, mut count) = (Vec::new(), 0, 0);
    let mut reader = Reader::new(&body);
    while let Some(token) = reader.next() {
        let token = token?;
        if token.kind != Kind::Name || !token.text().map_or(false, |name| fields.contains(&name)) {
            continue;
        }
        if let Some(value) = reader.value() {
            let value = value?;
            out.extend_from_slice(&body[kept..value.at]);
            out.extend_from_slice(b"\"***\"");
            kept = value.end();
            count += 1;
        }
    }
    if count > 0 {
        out.extend_from_slice(&body[kept..]);
        rmds::stat("redacted", count);
        m.set_body(&out)?;
    }
    Ok(Verdict::PASS)
}
