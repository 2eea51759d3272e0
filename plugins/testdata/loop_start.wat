;; Never comes out of its start function.
(module
  (memory (export "memory") 1)
  (func $start (loop $l (br $l)))
  (func (export "rmds_handle") (param i32) (result i32) i32.const 0)
  (start $start))
