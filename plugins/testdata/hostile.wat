;; Does the harm that the body's first byte names, and is done within a moment if it is let.
(module
  (import "rmds1" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "rmds1" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
  (import "rmds1" "log" (func $log (param i32 i32 i32)))
  (import "rmds1" "kv_set" (func $kv_set (param i32 i32 i32 i32) (result i32)))
  (import "rmds1" "stat" (func $stat (param i32 i32 i64)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (type $unary (func (param i32) (result i32)))
  (memory (export "memory") 2)
  (table $t 4 funcref)
  (elem (i32.const 0) $loop $exponential)
  (data (i32.const 16) "out")
  (global $g (mut i32) (i32.const 0))
  (func $loop (param i32) (result i32) (loop $l (br $l)) unreachable)
  (func $work (param i32) (result i32) ;; a loop that does something
    (loop $l
      (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (local.get 0)))
      (br_if $l (i32.const 1)))
    (i32.const 0))
  (func $exponential (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add
        (call $exponential (i32.sub (local.get 0) (i32.const 1)))
        (call $exponential (i32.sub (local.get 0) (i32.const 1)))))
      (else (i32.const 1))))
  (func $indirect (param i32) (result i32) ;; the same, by way of the table
    (if (result i32) (local.get 0)
      (then (i32.add
        (call_indirect (type $unary) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))
        (call_indirect (type $unary) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))))
      (else (i32.const 1))))
  (func $deep (param i32) (result i32)
    (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func $grow (result i32) ;; memory, for ever
    (loop $l (drop (memory.grow (i32.const 1))) (br $l)) unreachable)
  (func $grow_table (result i32) ;; a table, until it may not, then traps
    (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable)
  (func $grow_huge (result i32)
    (if (i32.ne (table.grow $t (ref.null func) (i32.const 0x0fffffff)) (i32.const -1)) (then (return (i32.const 0)))) unreachable)
  (func $fill (result i32) ;; bulk operations only
    (loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 131072))
      (memory.copy (i32.const 0) (i32.const 65536) (i32.const 65536)) (br $l)) unreachable)
  (func $write_all (result i32) ;; to standard output
    (i32.store (i32.const 32) (i32.const 0)) (i32.store (i32.const 36) (i32.const 65536))
    (loop $l (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 48))) (br $l)) unreachable)
  (func $log_all (result i32)
    (loop $l (call $log (i32.const 0) (i32.const 0) (i32.const 65536)) (br $l)) unreachable)
  (func $emit_all (result i32)
    (loop $l (drop (call $emit (i32.const 16) (i32.const 3) (i32.const 0) (i32.const 131072))) (br $l)) unreachable)
  (func $set_all (result i32)
    (loop $l
      (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
      (drop (call $kv_set (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 4096))) (br $l)) unreachable)
  (func $stat_all (result i32)
    (loop $l
      (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
      (call $stat (i32.const 64) (i32.const 4) (i64.const 1)) (br $l)) unreachable)
  (func $sleep (result i32) ;; an hour at a time
    (i64.store (i32.const 1024) (i64.const 7))
    (i64.store (i32.const 1048) (i64.const 3600000000000))
    (loop $l (drop (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 4096))) (br $l)) unreachable)
  (func $pointer (result i32) (drop (call $read (i32.const 0) (i32.const 0) (i32.const -16) (i32.const 4096))) (i32.const 0))
  (func $overflow (result i32) (drop (call $emit (i32.const 16) (i32.const 3) (i32.const 65536) (i32.const -1))) (i32.const 0))
  (func (export "rmds_handle") (param i32) (result i32) (local $c i32)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)))
    (local.set $c (i32.load8_u (i32.const 0)))
    (if (i32.eq (local.get $c) (i32.const 0x6c)) (then (return (call $loop (i32.const 1)))))        ;; l
    (if (i32.eq (local.get $c) (i32.const 0x77)) (then (return (call $work (i32.const 1)))))        ;; w
    (if (i32.eq (local.get $c) (i32.const 0x65)) (then (return (call $exponential (i32.const 200))))) ;; e
    (if (i32.eq (local.get $c) (i32.const 0x69)) (then (return (call $indirect (i32.const 200)))))  ;; i
    (if (i32.eq (local.get $c) (i32.const 0x64)) (then (return (call $deep (i32.const 1)))))        ;; d
    (if (i32.eq (local.get $c) (i32.const 0x67)) (then (return (call $grow))))                      ;; g
    (if (i32.eq (local.get $c) (i32.const 0x74)) (then (return (call $grow_table))))                ;; t
    (if (i32.eq (local.get $c) (i32.const 0x54)) (then (return (call $grow_huge))))                 ;; T
    (if (i32.eq (local.get $c) (i32.const 0x66)) (then (return (call $fill))))                      ;; f
    (if (i32.eq (local.get $c) (i32.const 0x6f)) (then (return (call $write_all))))                 ;; o
    (if (i32.eq (local.get $c) (i32.const 0x4c)) (then (return (call $log_all))))                   ;; L
    (if (i32.eq (local.get $c) (i32.const 0x45)) (then (return (call $emit_all))))                  ;; E
    (if (i32.eq (local.get $c) (i32.const 0x6b)) (then (return (call $set_all))))                   ;; k
    (if (i32.eq (local.get $c) (i32.const 0x53)) (then (return (call $stat_all))))                  ;; S
    (if (i32.eq (local.get $c) (i32.const 0x73)) (then (return (call $sleep))))                     ;; s
    (if (i32.eq (local.get $c) (i32.const 0x70)) (then (return (call $pointer))))                   ;; p
    (if (i32.eq (local.get $c) (i32.const 0x6e)) (then (return (call $overflow))))                  ;; n
    (i32.const 0)))
