(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)) (func (export "rmds_handle") (param i32) (result i32) i32.const 0))
