;; The least there is: a filter and a handler that say yes.
(module
  (memory (export "memory") 1)
  (func (export "rmds_filter") (param i32) (result i32) i32.const 0)
  (func (export "rmds_handle") (param i32) (result i32) i32.const 0)
  (func (export "rmds_tick") (param i64) (result i32) i32.const 0))
