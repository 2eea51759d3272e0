// average keeps the average of each sensor's readings. A tick ends the window: it emits the averages to "averages", and to "alerts" what is above
// the limit.
//
// A reading is {"sensor": "boiler", "value": 71.5}. What a window has so far is kept under two counters for each sensor: sum/, in thousandths,
// and count/. So a crash loses nothing and counts nothing twice.
import { ACK, Message, add, check, config, dead, del, emit, encode, errorOf, fail, keys } from "../rmds/rmds";
import { numberOf, quote, textOf } from "../rmds/json";

const MAX_SENSOR = 256; // bytes of a sensor's name
const MAX_VALUE: f64 = 1e12;

let limit: f64 = 0;

export function rmds_init(): i32 {
  limit = numberOf(encode(config()), "limit");
  if (!isNaN(limit)) return 0;
  fail("limit: want a number");
  return 1;
}

export function rmds_handle(size: i32): i32 {
  const body = new Message(size).body();
  const sensor = textOf(body, "sensor");
  const value = numberOf(body, "value");
  if (sensor === null || sensor.length == 0 || encode(sensor).length > MAX_SENSOR || !(Math.abs(value) <= MAX_VALUE)) {
    return dead("no reading: want a sensor and a value");
  }
  const thousandths = <i64>(value * 1000 + (value < 0 ? -0.5 : 0.5));
  const code = errorOf(add("sum/" + sensor, thousandths));
  return check(code < 0 ? code : errorOf(add("count/" + sensor, 1)));
}

export function rmds_tick(now: i64): i32 {
  const counts = keys("count/");
  for (let i = 0; i < counts.length; i++) {
    const sensor = counts[i].substring("count/".length);
    const count = add(counts[i], 0);
    const sum = add("sum/" + sensor, 0);
    if (count < 1 || errorOf(sum) < 0) return dead("the window cannot be read");
    const code = report(sensor, <f64>(sum / count) / 1000, count);
    if (code < 0) return check(code);
    del(counts[i]);
    del("sum/" + sensor);
  }
  return ACK;
}

function report(sensor: string, average: f64, count: i64): i32 {
  const body = '{"sensor":' + quote(sensor) + ',"average":' + average.toString() + ',"count":' + count.toString() + "}";
  const code = average > limit ? emit("alerts", body) : 0;
  return code < 0 ? code : emit("averages", body);
}
