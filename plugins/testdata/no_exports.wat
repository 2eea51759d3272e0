(module (memory (export "memory") 1) (func (export "rmds_handel") (param i32) (result i32) i32.const 0))
