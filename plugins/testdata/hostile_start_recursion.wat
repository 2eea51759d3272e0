;; Recurses without a loop and without getting deep in its start function.
(module
  (memory (export "memory") 1)
  (func $fib (param i32)
    (if (local.get 0) (then
      (call $fib (i32.sub (local.get 0) (i32.const 1)))
      (call $fib (i32.sub (local.get 0) (i32.const 1))))))
  (func $start (call $fib (i32.const 100)))
  (func (export "rmds_handle") (param i32) (result i32) i32.const 0)
  (start $start))
