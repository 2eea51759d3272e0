;; A handler that counts its messages under n and emits the first 256 bytes of each to effects.
(module
  (import "rmds1" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "rmds1" "kv_add" (func $kv_add (param i32 i32 i64) (result i64)))
  (import "rmds1" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "neffects")
  (func (export "rmds_handle") (param $len i32) (result i32)
    (if (i32.gt_u (local.get $len) (i32.const 256)) (then (local.set $len (i32.const 256))))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 64) (local.get $len)))
    (drop (call $kv_add (i32.const 0) (i32.const 1) (i64.const 1)))
    (drop (call $emit (i32.const 1) (i32.const 7) (i32.const 64) (local.get $len)))
    (i32.const 0)))
