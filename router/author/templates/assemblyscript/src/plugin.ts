// NAME drops empty messages and marks the others with a header.
import { Message, DROP, check } from "../rmds/rmds";

export function rmds_filter(size: i32): i32 {
  if (size == 0) return DROP;
  return check(new Message(size).setHeader("seen-by", "NAME"));
}
