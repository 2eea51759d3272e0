;; Takes 1 MiB of memory at a time until there is no more, and returns how many times that went well, as a verdict.
(module
  (memory (export "memory") 1)
  (func (export "rmds_handle") (param i32) (result i32) (local $n i32)
    (block $end (loop $next
      (br_if $end (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $next)))
    (local.get $n)))
