;; Never comes out of rmds_init.
(module
  (memory (export "memory") 1)
  (func (export "rmds_init") (result i32) (loop $l (br $l)) unreachable)
  (func (export "rmds_handle") (param i32) (result i32) i32.const 0))
