;; Starts well while there is no node information, and later never comes out of rmds_init. A body that begins with t traps, so that another instance is made.
(module
  (import "rmds1" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "rmds_init") (result i32)
    (if (i32.gt_s (call $read (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0)) (then (loop $l (br $l))))
    (i32.const 0))
  (func (export "rmds_handle") (param i32) (result i32)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 0x74)) (then (unreachable)))
    (i32.const 0)))
