;; A filter and a tick that never come back.
(module
  (memory (export "memory") 1)
  (func $spin (loop $l (br $l)))
  (func (export "rmds_filter") (param i32) (result i32) (call $spin) (i32.const 0))
  (func (export "rmds_tick") (param i64) (result i32) (call $spin) (i32.const 0)))
