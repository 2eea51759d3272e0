;; The next version of counter.wat: adds one to the counter "n" for every message and emits the sum, eight bytes. A body that starts with ! is then refused for a retry.
(module
  (import "rmds1" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "rmds1" "kv_add" (func $kv_add (param i32 i32 i64) (result i64)))
  (import "rmds1" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "nout2")
  (func (export "rmds_handle") (param i32) (result i32)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 1)))
    (i64.store (i32.const 8) (call $kv_add (i32.const 0) (i32.const 1) (i64.const 1)))
    (drop (call $emit (i32.const 1) (i32.const 3) (i32.const 8) (i32.const 8)))
    (select (i32.const 2) (i32.const 0) (i32.eq (i32.load8_u (i32.const 16)) (i32.const 33)))))
