/**
 * Write plugins of RMDS Router in AssemblyScript.
 *
 * A plugin exports the entry points that it has, at least one of the first three:
 *
 *     import { Message, ACK, dead, add, errorOf, errorText } from "./rmds";
 *
 *     export function rmds_handle(size: i32): i32 {
 *       const sum = add("messages", 1);
 *       return errorOf(sum) < 0 ? dead(errorText(errorOf(sum))) : ACK;
 *     }
 *
 *     rmds_filter(size: i32): i32    pass, change or drop a message
 *     rmds_handle(size: i32): i32    consume a message
 *     rmds_tick(nowMS: i64): i32     called at the configured interval
 *     rmds_init(): i32               once for every instance; not 0 refuses to start
 *     rmds_health(): i32             0 is healthy
 *     rmds_stop(): void              before the instance goes
 *
 * Build: asc plugin.ts -o plugin.wasm -O3 --exportStart _initialize
 *
 * Emits, keys and changes of the message are effects: they are committed together with the message when the call returns 0 (or 1 from a
 * filter), and otherwise not at all. Instances come and go without notice: variables are a cache, what has to last is a key. An exception ends
 * the call with its message, file and line as the reason; its effects are discarded.
 */

/** A filter's verdict: goes on, as modified. */
export const PASS: i32 = 0;
/** A handler's and a tick's verdict: done. */
export const ACK: i32 = 0;
/** A filter's only: done, goes no further. */
export const DROP: i32 = 1;
/** Again later; effects are discarded. */
export const RETRY: i32 = 2;

/** No such header or key. */
export const ABSENT: i32 = -1;
/** An argument that is never legal. */
export const ARGUMENT: i32 = -2;
/** A limit of the plugin is reached. */
export const LIMIT: i32 = -3;
/** The configuration does not grant it. */
export const DENIED: i32 = -4;
/** Not possible in this kind of call. */
export const MISPLACED: i32 = -5;

/** Says what an error means. */
export function errorText(code: i32): string {
  switch (code) {
    case ABSENT: return "absent";
    case ARGUMENT: return "illegal argument";
    case LIMIT: return "limit reached";
    case DENIED: return "not granted in the configuration";
    case MISPLACED: return "not possible here";
    default: return "error " + code.toString();
  }
}

/** Again after so many milliseconds; effects are discarded. */
export function retryAfter(ms: i64): i32 {
  hostOpt(0, max<i64>(0, ms));
  return RETRY;
}

/** To the dead letters, with a reason; effects are discarded. */
export function dead(reason: string): i32 {
  fail(reason);
  return 3;
}

/** Leaves the reason that goes with the verdict. */
export function fail(reason: string): void {
  const text = String.UTF8.encode(reason);
  hostFail(changetype<usize>(text), text.byteLength);
}

/** The verdict that a result of the router leads to: done, or a dead letter with the error as the reason. */
export function check(code: i32): i32 {
  return code < 0 ? dead(errorText(code)) : ACK;
}

/** A name with a value. */
export class Header {
  constructor(public name: string, public value: Uint8Array) {}

  /** The value as text. */
  text(): string {
    return decode(this.value);
  }
}

/** The message of the call under way. What it is asked for always shows the message as it came in, whatever was set. */
export class Message {
  /** Size is the argument of the entry point: the length of the body in bytes. */
  constructor(public size: i32) {}

  /** The body. */
  body(): Uint8Array {
    const body = new Uint8Array(this.size);
    hostRead(0, 0, body.dataStart, this.size);
    return body;
  }

  /** The body as text. */
  text(): string {
    return decode(this.body());
  }

  /** Names the message for ever. */
  id(): string {
    return readText(1);
  }

  /** Where it was sent. */
  channel(): string {
    return readText(2);
  }

  /** The id of the node that sent it. */
  sender(): string {
    return readText(3);
  }

  /** Why the attempt before failed, empty at the first. */
  lastError(): string {
    return readText(7);
  }

  /** 1 at the first. */
  attempt(): i64 {
    return hostNum(1);
  }

  /** The message's number in its sender's log. */
  seq(): u64 {
    return hostNum(3);
  }

  /** When it was sent, by the sender's clock, in unix milliseconds. */
  createdMS(): i64 {
    return hostNum(0);
  }

  /** When it expires, in unix milliseconds; 0 if it never does. */
  expiresMS(): i64 {
    return hostNum(2);
  }

  /** The value of the first header of that name, null if there is none. */
  header(name: string): Uint8Array | null {
    const key = encode(name);
    let buf = new Uint8Array(256);
    let n = hostHeader(key.dataStart, key.length, buf.dataStart, buf.length);
    if (n > buf.length) {
      buf = new Uint8Array(n);
      n = hostHeader(key.dataStart, key.length, buf.dataStart, n);
    }
    return n < 0 ? null : buf.subarray(0, n);
  }

  /** The same as text, empty if there is none. */
  headerText(name: string): string {
    const value = this.header(name);
    return value ? decode(value) : "";
  }

  /** All headers, in order. */
  headers(): Header[] {
    return parseHeaders(readField(4));
  }

  /** Replaces the body; filters only, here and below. The result is 0 or an error. */
  setBody(body: Uint8Array): i32 {
    return hostSet(0, body.dataStart, body.length);
  }

  /** Replaces the body by text. */
  setText(body: string): i32 {
    return this.setBody(encode(body));
  }

  /** Redirects the message to another channel, which needs the grant to emit there. */
  setChannel(channel: string): i32 {
    const name = encode(channel);
    return hostSet(2, name.dataStart, name.length);
  }

  /** Sets a header, in place of all of that name. */
  setHeader(name: string, value: string): i32 {
    const n = encode(name);
    const v = encode(value);
    return hostSetHeader(n.dataStart, n.length, v.dataStart, v.length);
  }

  /** Removes all headers of that name. */
  deleteHeader(name: string): i32 {
    const n = encode(name);
    return hostSetHeader(n.dataStart, n.length, 0, -1);
  }
}

/** A message to send when the call commits; the plugin must be granted the channel: new Emit("alerts").header("level", "high").ttl(60000).send("hot") */
export class Emit {
  private failed: i32 = 0;

  constructor(private channel: string) {}

  /** Adds a header. */
  header(name: string, value: string): Emit {
    const n = encode(name);
    const v = encode(value);
    return this.took(hostEmitHeader(n.dataStart, n.length, v.dataStart, v.length));
  }

  /** How long it lives, in milliseconds; without it the channel's usual time. */
  ttl(ms: i64): Emit {
    return this.took(hostOpt(1, ms));
  }

  /** How long to wait before it is sent, in milliseconds. */
  delay(ms: i64): Emit {
    return this.took(hostOpt(2, ms));
  }

  /** Adds it to the effects of the call. The result is 0 or an error; after that nothing is sent, but the call may go on. */
  send(body: string): i32 {
    return this.sendBytes(encode(body));
  }

  /** The same for bytes. */
  sendBytes(body: Uint8Array): i32 {
    if (this.failed < 0) {
      hostEmit(0, 0, 0, 0); // illegal, and so takes back the options that were accepted
      return this.failed;
    }
    const name = encode(this.channel);
    return hostEmit(name.dataStart, name.length, body.dataStart, body.length);
  }

  private took(code: i32): Emit {
    if (this.failed == 0) this.failed = code;
    return this;
  }
}

/** Sends a message with nothing but a body; the result is 0 or an error. */
export function emit(channel: string, body: string): i32 {
  return new Emit(channel).send(body);
}

/** The value of a key, null if it is absent. Throws if keys are not granted or not possible here; see canGet. */
export function get(key: string): Uint8Array | null {
  const k = encode(key);
  let buf = new Uint8Array(256);
  let n = hostKVGet(k.dataStart, k.length, buf.dataStart, buf.length);
  if (n > buf.length) {
    buf = new Uint8Array(n);
    n = hostKVGet(k.dataStart, k.length, buf.dataStart, n);
  }
  if (n == ABSENT) return null;
  if (n < 0) throw new Error("get " + key + ": " + errorText(n));
  return buf.subarray(0, n);
}

/** The error that get would throw for a key, or 0. */
export function canGet(key: string): i32 {
  const k = encode(key);
  const n = hostKVGet(k.dataStart, k.length, 0, 0);
  return n == ABSENT || n >= 0 ? 0 : n;
}

/** Stores a value under a key; the result is 0 or an error. */
export function set(key: string, value: Uint8Array): i32 {
  const k = encode(key);
  return hostKVSet(k.dataStart, k.length, value.dataStart, value.length);
}

/** Stores text under a key. */
export function setText(key: string, value: string): i32 {
  return set(key, encode(value));
}

/** Stores a number as add does. */
export function setCounter(key: string, n: i64): i32 {
  const value = new Uint8Array(8);
  store<i64>(value.dataStart, n);
  return set(key, value);
}

/** Removes a key, present or not; the result is 0 or an error. */
export function del(key: string): i32 {
  const k = encode(key);
  return hostKVDel(k.dataStart, k.length);
}

/** Adds to a counter and gives the sum; an absent key counts from zero. Ask errorOf whether the sum is an error; then nothing changed. */
export function add(key: string, delta: i64): i64 {
  const k = encode(key);
  return hostKVAdd(k.dataStart, k.length, delta);
}

/** The error in a result of add, or 0. */
export function errorOf(sum: i64): i32 {
  return sum < i64.MIN_VALUE + 16 ? <i32>(i64.MIN_VALUE - sum) : 0;
}

/** The smallest key above after, in byte order; an empty one starts at the first. Null when there is none. */
export function next(after: string): string | null {
  const k = encode(after);
  let buf = new Uint8Array(512);
  let n = hostKVNext(k.dataStart, k.length, buf.dataStart, buf.length);
  if (n > buf.length) {
    buf = new Uint8Array(n);
    n = hostKVNext(k.dataStart, k.length, buf.dataStart, n);
  }
  if (n == ABSENT) return null;
  if (n < 0) throw new Error("next key: " + errorText(n));
  return decode(buf.subarray(0, n));
}

/** All keys that start with prefix, in byte order. */
export function keys(prefix: string): string[] {
  const found = new Array<string>();
  if (prefix.length > 0 && get(prefix) !== null) found.push(prefix);
  let key = next(prefix);
  while (key !== null && key.startsWith(prefix)) {
    found.push(key);
    key = next(key);
  }
  return found;
}

/** Levels of log. */
export const DEBUG: i32 = 0;
export const INFO: i32 = 1;
export const WARN: i32 = 2;
export const ERROR: i32 = 3;

/** Writes to the router's log at once, whatever becomes of the call. */
export function log(level: i32, text: string): void {
  const b = encode(text);
  hostLog(level, b.dataStart, b.length);
}

/** Adds to a counter in the plugin's statistics, at once, whatever becomes of the call. */
export function stat(name: string, delta: i64): void {
  const b = encode(name);
  hostStat(b.dataStart, b.length, delta);
}

/** The plugin's configuration as JSON. */
export function config(): string {
  return readText(5);
}

/** The plugin's configured name. */
export function name(): string {
  return readText(6);
}

/** JSON with statistics, nodes and topology, if granted; empty otherwise. */
export function nodeInfo(): string {
  return readText(8);
}

/** The router's time in unix milliseconds. */
export function nowMS(): i64 {
  return hostNum(4);
}

/** A monotonic clock: nanoseconds since some moment. */
export function monotonicNS(): i64 {
  return hostNum(5);
}

/** 64 random bits. */
export function random(): u64 {
  return hostNum(6);
}

/** How many milliseconds the call under way may still take. */
export function leftMS(): i64 {
  return max<i64>(0, hostNum(7));
}

/** Text as UTF-8. */
export function encode(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

/** UTF-8 as text. */
export function decode(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

function readField(field: i32): Uint8Array {
  let buf = new Uint8Array(256);
  let n = hostRead(field, 0, buf.dataStart, buf.length);
  if (n > buf.length) {
    buf = new Uint8Array(n);
    n = hostRead(field, 0, buf.dataStart, n);
  }
  return buf.subarray(0, max(0, n));
}

function readText(field: i32): string {
  return decode(readField(field));
}

/** Reads a header block: u32 count, then u32 length, name, u32 length, value for each. It stops where the block does. */
function parseHeaders(block: Uint8Array): Header[] {
  const headers = new Array<Header>();
  if (block.length < 4) return headers;
  let at = 4;
  for (let left = load<u32>(block.dataStart); left > 0; left--) {
    const name = cut(block, at);
    if (name === null) break;
    const value = cut(block, at + 4 + name.length);
    if (value === null) break;
    at += 8 + name.length + value.length;
    headers.push(new Header(decode(name), value));
  }
  return headers;
}

function cut(block: Uint8Array, at: i32): Uint8Array | null {
  if (at + 4 > block.length) return null;
  const n = load<u32>(block.dataStart + at);
  if (n > <u32>(block.length - at - 4)) return null;
  return block.subarray(at + 4, at + 4 + <i32>n);
}

// The router's functions, as docs/abi.md lists them.
// @ts-ignore: decorator
@external("rmds1", "read") declare function hostRead(field: i32, off: u32, buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "num") declare function hostNum(field: i32): i64;
// @ts-ignore: decorator
@external("rmds1", "header") declare function hostHeader(name: usize, nlen: u32, buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "set") declare function hostSet(field: i32, p: usize, n: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "set_header") declare function hostSetHeader(name: usize, nlen: u32, val: usize, vlen: i32): i32;
// @ts-ignore: decorator
@external("rmds1", "emit_header") declare function hostEmitHeader(name: usize, nlen: u32, val: usize, vlen: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "opt") declare function hostOpt(key: i32, value: i64): i32;
// @ts-ignore: decorator
@external("rmds1", "emit") declare function hostEmit(chan: usize, clen: u32, body: usize, blen: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "kv_get") declare function hostKVGet(key: usize, klen: u32, buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "kv_set") declare function hostKVSet(key: usize, klen: u32, val: usize, vlen: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "kv_del") declare function hostKVDel(key: usize, klen: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "kv_add") declare function hostKVAdd(key: usize, klen: u32, delta: i64): i64;
// @ts-ignore: decorator
@external("rmds1", "kv_next") declare function hostKVNext(key: usize, klen: u32, buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("rmds1", "log") declare function hostLog(level: i32, p: usize, n: u32): void;
// @ts-ignore: decorator
@external("rmds1", "stat") declare function hostStat(name: usize, nlen: u32, delta: i64): void;
// @ts-ignore: decorator
@external("rmds1", "fail") declare function hostFail(p: usize, n: u32): void;
