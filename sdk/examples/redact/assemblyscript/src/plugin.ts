// redact writes "***" in place of what the members that the configuration names hold, at any depth. Every other byte stays as it is. What is no
// JSON becomes a dead letter: nobody could say what is in it.
import { Message, PASS, check, config, dead, encode, fail, stat } from "../rmds/rmds";
import { BAD, END, NAME, Reader, STRING, member } from "../rmds/json";

const fields = new Set<string>();

export function rmds_init(): i32 {
  const list = member(encode(config()), "fields");
  if (list !== null) {
    const names = new Reader(list.raw());
    for (let kind = names.next(); kind > END; kind = names.next()) if (kind == STRING) fields.add(names.text());
  }
  if (fields.size > 0) return 0;
  fail("fields: want a list of names");
  return 1;
}

export function rmds_filter(size: i32): i32 {
  const m = new Message(size);
  const body = m.body();
  const json = new Reader(body);
  const cuts = new Array<i32>(); // where each value that goes begins and ends
  let kind = json.next();
  for (; kind > END; kind = json.next()) {
    if (kind != NAME || !fields.has(json.text())) continue;
    if (json.skip() == BAD) break;
    cuts.push(json.from);
    cuts.push(json.to);
  }
  if (kind != END) return dead("no JSON");
  if (cuts.length == 0) return PASS;
  stat("redacted", cuts.length / 2);
  return check(m.setBody(redacted(body, cuts)));
}

function redacted(body: Uint8Array, cuts: i32[]): Uint8Array {
  const mark = encode('"***"');
  let length = body.length;
  for (let i = 0; i < cuts.length; i += 2) length += mark.length - (cuts[i + 1] - cuts[i]);
  const out = new Uint8Array(length);
  let kept = 0;
  let at = 0;
  for (let i = 0; i < cuts.length; i += 2) {
    out.set(body.subarray(kept, cuts[i]), at);
    at += cuts[i] - kept;
    out.set(mark, at);
    at += mark.length;
    kept = cuts[i + 1];
  }
  out.set(body.subarray(kept), at);
  return out;
}
