// route sends a JSON message on to the channel that the configuration names for its "type"; one of another type stays where it is.
import { Message, PASS, check, config, stat } from "../rmds/rmds";

export function rmds_filter(size: i32): i32 {
  const m = new Message(size);
  const type = member(m.text(), "type");
  if (type === null) {
    stat("untyped", 1);
    return PASS;
  }
  const channel = member(config(), type);
  return channel === null ? PASS : check(m.setChannel(channel));
}

// The value of a member that is a text without escapes, wherever it stands; null if there is none.
function member(json: string, name: string): string | null {
  const key = '"' + name + '"';
  for (let at = json.indexOf(key); at >= 0; at = json.indexOf(key, at + 1)) {
    let i = skip(json, at + key.length);
    if (i >= json.length || json.charAt(i) != ":") continue;
    i = skip(json, i + 1);
    if (i >= json.length || json.charAt(i) != '"') continue;
    const end = json.indexOf('"', i + 1);
    if (end > 0) return json.substring(i + 1, end);
  }
  return null;
}

function skip(text: string, i: i32): i32 {
  while (i < text.length && text.charCodeAt(i) <= 32) i++;
  return i;
}
