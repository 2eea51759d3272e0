/**
 * Reads and writes JSON, for the configuration and for messages.
 *
 * A reader goes over a text token by token and checks it on the way: the text is JSON once next has given END.
 *
 *     const json = new Reader(message.body());
 *     let kind = json.next();
 *     for (; kind > END; kind = json.next())
 *       if (kind == NAME && json.text() == "id") ... the value is the next token
 *     if (kind == BAD) ...
 */

/** No JSON, here or before. */
export const BAD: i32 = -1;
/** The whole text was one value. */
export const END: i32 = 0;
/** An object begins. */
export const OBJECT: i32 = 1;
/** An array begins. */
export const ARRAY: i32 = 2;
/** The innermost of them ends. */
export const CLOSE: i32 = 3;
/** A member's name; its value comes next. */
export const NAME: i32 = 4;
export const STRING: i32 = 5;
export const NUMBER: i32 = 6;
/** true, false, null. */
export const LITERAL: i32 = 7;

/** How deep a text may nest; what is deeper counts as no JSON. */
export const MAX_DEPTH: i32 = 512;

/** What a reader waits for. */
enum Want { Value, ValueOrClose, Name, NameOrClose, After, Nothing }

export class Reader {
  /** The last token is json[from] up to, without, json[to]; of a name or a string with its quotes. */
  from: i32 = 0;
  to: i32 = 0;

  private at: i32 = 0;
  private want: Want = Want.Value;
  private open: Array<bool> = [];

  constructor(public json: Uint8Array) {}

  /** The next token's kind. */
  next(): i32 {
    if (this.want == Want.Nothing) return BAD;
    this.space();
    if (this.want == Want.After && this.open.length == 0) return this.at == this.json.length ? END : this.bad();
    const kind = this.step();
    return kind < 0 ? this.bad() : kind;
  }

  /** Goes past the whole value that comes next, which from and to then enclose; its kind as of next. */
  skip(): i32 {
    const kind = this.next();
    if (kind != OBJECT && kind != ARRAY) return kind;
    const from = this.from;
    const depth = this.open.length;
    while (this.open.length >= depth) if (this.next() == BAD) return BAD;
    this.from = from;
    return kind;
  }

  /** The last token as it is written. */
  raw(): Uint8Array {
    return this.json.subarray(this.from, this.to);
  }

  /** The content of the last token, which is a name or a string. */
  text(): string {
    const inside = String.UTF8.decodeUnsafe(this.json.dataStart + this.from + 1, this.to - this.from - 2);
    return inside.includes("\\") ? unescaped(inside) : inside;
  }

  /** The last token, which is a number. */
  number(): f64 {
    return F64.parseFloat(String.UTF8.decodeUnsafe(this.json.dataStart + this.from, this.to - this.from));
  }

  private bad(): i32 {
    this.want = Want.Nothing;
    return BAD;
  }

  private peek(): i32 {
    return this.at < this.json.length ? <i32>this.json[this.at] : -1;
  }

  private space(): void {
    let c = this.peek();
    while (c == 0x20 || c == 0x09 || c == 0x0a || c == 0x0d) {
      this.at++;
      c = this.peek();
    }
  }

  /** Goes past one token and what separates it from those beside it. */
  private step(): i32 {
    const object = this.open.length > 0 && this.open[this.open.length - 1];
    const closes = this.want == Want.After || this.want == Want.ValueOrClose || this.want == Want.NameOrClose;
    if (closes && this.peek() == (object ? 0x7d : 0x5d)) {
      this.open.pop();
      this.want = Want.After;
      this.from = this.at++;
      this.to = this.at;
      return CLOSE;
    }
    if (this.want == Want.After) {
      if (this.peek() != 0x2c) return BAD;
      this.at++;
      this.space();
      this.want = object ? Want.Name : Want.Value;
    }
    this.from = this.at;
    if (this.want == Want.Value || this.want == Want.ValueOrClose) return this.value();
    if (!this.string()) return BAD;
    this.to = this.at;
    this.space();
    if (this.peek() != 0x3a) return BAD;
    this.at++;
    this.want = Want.Value;
    return NAME;
  }

  private value(): i32 {
    const c = this.peek();
    let kind = BAD;
    if (c == 0x7b || c == 0x5b) {
      if (this.open.length == MAX_DEPTH) return BAD;
      this.open.push(c == 0x7b);
      this.at++;
      this.want = c == 0x7b ? Want.NameOrClose : Want.ValueOrClose;
      kind = c == 0x7b ? OBJECT : ARRAY;
    } else {
      this.want = Want.After;
      if (c == 0x22) kind = this.string() ? STRING : BAD;
      else if (this.word("true") || this.word("false") || this.word("null")) kind = LITERAL;
      else if (this.digitsAndMore()) kind = NUMBER;
    }
    this.to = this.at;
    return kind;
  }

  private string(): bool {
    if (this.peek() != 0x22) return false;
    for (this.at++; ; this.at++) {
      let c = this.peek();
      if (c == 0x22) break;
      if (c < 0x20) return false;
      if (c != 0x5c) continue;
      this.at++;
      c = this.peek();
      if (c == 0x75) {
        for (let i = 0; i < 4; i++) {
          this.at++;
          if (hex(this.peek()) < 0) return false;
        }
      } else if (c < 0 || !'"\\/bfnrt'.includes(String.fromCharCode(c))) {
        return false;
      }
    }
    this.at++;
    return true;
  }

  private word(word: string): bool {
    for (let i = 0; i < word.length; i++) {
      if (this.at + i >= this.json.length || <i32>this.json[this.at + i] != word.charCodeAt(i)) return false;
    }
    this.at += word.length;
    return true;
  }

  private digits(): i32 {
    const from = this.at;
    while (this.peek() >= 0x30 && this.peek() <= 0x39) this.at++;
    return this.at - from;
  }

  private digitsAndMore(): bool {
    if (this.peek() == 0x2d) this.at++;
    const zero = this.peek() == 0x30;
    const whole = this.digits();
    if (whole == 0 || (zero && whole > 1)) return false;
    if (this.peek() == 0x2e) {
      this.at++;
      if (this.digits() == 0) return false;
    }
    if (this.peek() == 0x65 || this.peek() == 0x45) {
      this.at++;
      if (this.peek() == 0x2b || this.peek() == 0x2d) this.at++;
      return this.digits() > 0;
    }
    return true;
  }
}

/**
 * A reader whose last token is the value of a member of the object that the text is (an object or an array whole); of several with that name
 * the last. Null if there is none, or if the text is no object.
 */
export function member(json: Uint8Array, name: string): Reader | null {
  const reader = new Reader(json);
  if (reader.next() != OBJECT) return null;
  let from = -1;
  let to = 0;
  let kind = reader.next();
  for (; kind == NAME; kind = reader.next()) {
    const wanted = reader.text() == name;
    if (reader.skip() == BAD) return null;
    if (wanted) {
      from = reader.from;
      to = reader.to;
    }
  }
  if (kind != CLOSE || reader.next() != END || from < 0) return null;
  const value = new Reader(json.subarray(from, to));
  value.skip();
  return value;
}

/** The member's content if it is a string, else null. */
export function textOf(json: Uint8Array, name: string): string | null {
  const value = member(json, name);
  return value !== null && value.json[value.from] == 0x22 ? value.text() : null;
}

/** The member's value if it is a number, else NaN. */
export function numberOf(json: Uint8Array, name: string): f64 {
  const value = member(json, name);
  if (value === null) return NaN;
  const c = <i32>value.json[value.from];
  return c == 0x2d || (c >= 0x30 && c <= 0x39) ? value.number() : NaN;
}

/** A text as JSON, with its quotes. */
export function quote(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20) out += "\\u" + c.toString(16).padStart(4, "0");
    else if (c == 0x22 || c == 0x5c) out += "\\" + text.charAt(i);
    else out += text.charAt(i);
  }
  return out + '"';
}


function hex(c: i32): i32 {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  c |= 0x20;
  return c >= 0x61 && c <= 0x66 ? c - 0x61 + 10 : -1;
}

function unescaped(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) != 0x5c) {
      out += text.charAt(i);
      continue;
    }
    const c = text.charAt(++i);
    if (c == "b") out += "\b";
    else if (c == "f") out += "\f";
    else if (c == "n") out += "\n";
    else if (c == "r") out += "\r";
    else if (c == "t") out += "\t";
    else if (c == "u") {
      let unit = 0;
      for (let k = 0; k < 4; k++) unit = (unit << 4) | hex(text.charCodeAt(++i));
      out += String.fromCharCode(unit);
    } else out += c;
  }
  return out;
}
