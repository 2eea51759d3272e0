;; Emits one byte as often as it is let, then says in its reason how often that was, and how often it was refused with -3, as two i32.
(module
  (import "rmds1" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
  (import "rmds1" "kv_set" (func $kv_set (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 17)
  (data (i32.const 0) "out")
  (func (export "rmds_handle") (param $len i32) (result i32) (local $i i32)
    (loop $next
      (drop (call $emit (i32.const 0) (i32.const 3) (i32.const 64) (local.get $len)))
      (i32.store (i32.const 32) (local.get $i))
      (drop (call $kv_set (i32.const 32) (i32.const 4) (i32.const 64) (local.get $len)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 20000))))
    (i32.const 0)))
