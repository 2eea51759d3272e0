;; A handler and a tick that count the same key n and emit the sum to "out"; the tick counts under t as well. Of four ticks one traps and one asks to be tried
;; again, both after they counted, by the last bits of the time.
(module
  (import "rmds1" "kv_add" (func $kv_add (param i32 i32 i64) (result i64)))
  (import "rmds1" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "ntout")
  (func $count
    (i64.store (i32.const 8) (call $kv_add (i32.const 0) (i32.const 1) (i64.const 1)))
    (drop (call $emit (i32.const 2) (i32.const 3) (i32.const 8) (i32.const 8))))
  (func (export "rmds_handle") (param i32) (result i32) (call $count) (i32.const 0))
  (func (export "rmds_tick") (param $now i64) (result i32)
    (call $count)
    (drop (call $kv_add (i32.const 1) (i32.const 1) (i64.const 1)))
    (if (i64.eq (i64.and (local.get $now) (i64.const 3)) (i64.const 0)) (then (unreachable)))
    (if (i64.eq (i64.and (local.get $now) (i64.const 3)) (i64.const 1)) (then (return (i32.const 2))))
    (i32.const 0)))
