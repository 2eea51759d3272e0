//! NAME drops empty messages and marks the others with a header.

use rmds::{Message, Verdict};

rmds::filter!(filter);

fn filter(m: &Message) -> Verdict {
    if m.size() == 0 {
        return Verdict::DROP;
    }
    m.set_header("seen-by", "NAME").map(|_| Verdict::PASS).into()
}
