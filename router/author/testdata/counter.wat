;; Counts messages under the key n and emits the count, eight bytes, to channel out.
(module
  (import "rmds1" "kv_add" (func $kv_add (param i32 i32 i64) (result i64)))
  (import "rmds1" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "nout")
  (func (export "rmds_handle") (param i32) (result i32)
    (i64.store (i32.const 8) (call $kv_add (i32.const 0) (i32.const 1) (i64.const 1)))
    (drop (call $emit (i32.const 1) (i32.const 3) (i32.const 8) (i32.const 8)))
    (i32.const 0)))
