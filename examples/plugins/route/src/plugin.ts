// route sends a JSON message on to the channel that the configuration names for its "type"; one of another type stays where it is.
import { Message, PASS, check, config, encode, stat } from "../rmds/rmds";
import { textOf } from "../rmds/json";

export function rmds_filter(size: i32): i32 {
  const m = new Message(size);
  const type = textOf(m.body(), "type");
  if (type === null) {
    stat("untyped", 1);
    return PASS;
  }
  const channel = textOf(encode(config()), type);
  return channel === null ? PASS : check(m.setChannel(channel));
}
