;; Fails as programs compiled by AssemblyScript do.
(module (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 4) "\04\00\00\00h\00i\00")
  (data (i32.const 20) "\08\00\00\00a\00.\00t\00s\00")
  (func (export "rmds_handle") (param i32) (result i32)
    (call $abort (i32.const 8) (i32.const 24) (i32.const 3) (i32.const 7)) (i32.const 0)))
