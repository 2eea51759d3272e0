// The plugin of ../vectors.json in AssemblyScript: the first word of a body says what to do.
import * as rmds from "../../assemblyscript/rmds";

// What a body says to do, and with what.
class Order {
  word: string;
  rest: string = "";
  constructor(text: string) {
    const space = text.indexOf(" ");
    this.word = space < 0 ? text : text.substring(0, space);
    if (space >= 0) this.rest = text.substring(space + 1);
  }
}

let started = false;
let unwell = false;

export function rmds_init(): i32 {
  started = true;
  if (rmds.canGet("key") == rmds.MISPLACED) return 0;
  rmds.fail("a key can be read at the start");
  return 1;
}

export function rmds_filter(size: i32): i32 {
  const m = new rmds.Message(size);
  const order = new Order(m.text());
  const word = order.word;
  const rest = order.rest;
  if (word == "body") return rmds.check(m.setText(rest));
  if (word == "channel") return rmds.check(m.setChannel(rest));
  if (word == "header") {
    const code = m.setHeader("set", rest);
    return rmds.check(code < 0 ? code : m.deleteHeader("a"));
  }
  if (word == "drop") return rmds.DROP;
  if (word == "dead") return rmds.dead(rest);
  return rmds.PASS;
}

export function rmds_handle(size: i32): i32 {
  const m = new rmds.Message(size);
  const order = new Order(m.text());
  const word = order.word;
  const rest = order.rest;
  if (word == "describe") return rmds.check(describe(m));
  if (word == "kv") return rmds.check(keys());
  if (word == "emit") return rmds.check(emits(rest));
  if (word == "denied") return rmds.check(rmds.emit("elsewhere", ""));
  if (word == "retry") return rmds.retryAfter(1500);
  if (word == "log") rmds.log(rmds.WARN, rest);
  if (word == "panic") throw new Error("on purpose");
  if (word == "large") {
    const body = m.body();
    let sum: i64 = 0;
    for (let i = 0; i < body.length; i++) sum += body[i];
    return rmds.check(rmds.emit("out", m.size.toString() + " bytes, sum " + sum.toString()));
  }
  if (word == "unwell") unwell = true;
  return rmds.ACK;
}

export function rmds_tick(nowMS: i64): i32 {
  return rmds.check(rmds.emit("out", "tick " + nowMS.toString()));
}

export function rmds_health(): i32 {
  if (!unwell) return 0;
  rmds.fail("a bit unwell");
  return 1;
}

export function rmds_stop(): void {
  rmds.log(rmds.WARN, "bye");
}

function emits(rest: string): i32 {
  const code = new rmds.Emit("out").header("h", "v").ttl(1000).delay(2000).send(rest);
  if (code < 0) return code;
  if (new rmds.Emit("out").ttl(1).header("", "v").send("") != rmds.ARGUMENT) throw new Error("an illegal header is taken");
  return rmds.emit("out", "plain");
}

function describe(m: rmds.Message): i32 {
  const headers = m.headers().map<string>((h: rmds.Header) => h.name + "=" + h.text());
  rmds.stat("described", 2);
  return rmds.emit("out", [
    started ? "started" : "not started", m.id(), m.channel(), m.sender(), m.lastError(),
    "attempt", m.attempt().toString(), "seq", m.seq().toString(), "created", m.createdMS().toString(), "expires", m.expiresMS().toString(),
    "a=" + m.headerText("a"), m.header("z") === null ? "no z" : "a z", "[" + headers.join(" ") + "]",
    rmds.config(), rmds.name(), rmds.nodeInfo(), "size", m.size.toString(),
    rmds.leftMS() > 0 && rmds.nowMS() > 1500000000000 ? "clock" : "no clock",
  ].join(" "));
}

// Walks through every function on keys and says what came out.
function keys(): i32 {
  const said = new Array<string>();
  said.push(rmds.get("n") === null ? "absent" : "present");
  said.push(rmds.add("n", 5).toString());
  said.push(rmds.add("n", -7).toString());
  if (rmds.setText("a/2", "two") < 0 || rmds.set("a/1", new Uint8Array(1000)) < 0 || rmds.setCounter("a", 9) < 0) throw new Error("a key cannot be set");
  said.push(rmds.get("a/1")!.length.toString() + " bytes");
  said.push(rmds.decode(rmds.get("a/2")!));
  said.push(rmds.errorText(rmds.errorOf(rmds.add("a/2", 1))));
  if (rmds.del("n") < 0) throw new Error("a key cannot be removed");
  said.push(rmds.keys("").join(" "));
  said.push(rmds.keys("a").join(" "));
  said.push(rmds.keys("a/").join(" "));
  said.push(rmds.keys("z").join(" "));
  said.push(rmds.next("a/2") === null ? "end" : "more");
  return rmds.emit("out", said.join("; "));
}
