;; A filter that counts its calls under n and emits the count, eight bytes, to counts. Its verdict is a digit of the body: the first
;; for a plugin whose name begins with a, the second for b, and so on.
(module
  (import "rmds1" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "rmds1" "kv_add" (func $kv_add (param i32 i32 i64) (result i64)))
  (import "rmds1" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "ncounts")
  (func (export "rmds_filter") (param i32) (result i32)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 8)))
    (drop (call $read (i32.const 6) (i32.const 0) (i32.const 128) (i32.const 1)))
    (i64.store (i32.const 16) (call $kv_add (i32.const 0) (i32.const 1) (i64.const 1)))
    (drop (call $emit (i32.const 1) (i32.const 6) (i32.const 16) (i32.const 8)))
    (i32.sub (i32.load8_u (i32.sub (i32.load8_u (i32.const 128)) (i32.const 33))) (i32.const 48))))
