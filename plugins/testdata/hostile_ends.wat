;; Serves its messages, and never comes out of its health check nor of its stop.
(module
  (memory (export "memory") 1)
  (func $spin (loop $l (br $l)))
  (func (export "rmds_handle") (param i32) (result i32) (i32.const 0))
  (func (export "rmds_health") (result i32) (call $spin) (i32.const 0))
  (func (export "rmds_stop") (call $spin)))
