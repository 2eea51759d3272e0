//! The router's functions, as docs/abi.md lists them. Nothing outside this file is unsafe.

#[cfg(target_arch = "wasm32")]
mod imports {
    #[link(wasm_import_module = "rmds1")]
    extern "C" {
        pub fn read(field: i32, off: u32, buf: *mut u8, cap: u32) -> i32;
        pub fn num(field: i32) -> i64;
        pub fn header(name: *const u8, nlen: u32, buf: *mut u8, cap: u32) -> i32;
        pub fn set(field: i32, p: *const u8, n: u32) -> i32;
        pub fn set_header(name: *const u8, nlen: u32, val: *const u8, vlen: i32) -> i32;
        pub fn emit_header(name: *const u8, nlen: u32, val: *const u8, vlen: u32) -> i32;
        pub fn opt(key: i32, value: i64) -> i32;
        pub fn emit(chan: *const u8, clen: u32, body: *const u8, blen: u32) -> i32;
        pub fn kv_get(key: *const u8, klen: u32, buf: *mut u8, cap: u32) -> i32;
        pub fn kv_set(key: *const u8, klen: u32, val: *const u8, vlen: u32) -> i32;
        pub fn kv_del(key: *const u8, klen: u32) -> i32;
        pub fn kv_add(key: *const u8, klen: u32, delta: i64) -> i64;
        pub fn kv_next(key: *const u8, klen: u32, buf: *mut u8, cap: u32) -> i32;
        pub fn log(level: i32, p: *const u8, n: u32);
        pub fn stat(name: *const u8, nlen: u32, delta: i64);
        pub fn fail(p: *const u8, n: u32);
    }
}

/// Without a router around, everything answers that this is not the place.
#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::too_many_arguments)]
mod imports {
    const MISPLACED: i32 = -5;
    pub unsafe fn read(_: i32, _: u32, _: *mut u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn num(_: i32) -> i64 {
        MISPLACED as i64
    }
    pub unsafe fn header(_: *const u8, _: u32, _: *mut u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn set(_: i32, _: *const u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn set_header(_: *const u8, _: u32, _: *const u8, _: i32) -> i32 {
        MISPLACED
    }
    pub unsafe fn emit_header(_: *const u8, _: u32, _: *const u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn opt(_: i32, _: i64) -> i32 {
        MISPLACED
    }
    pub unsafe fn emit(_: *const u8, _: u32, _: *const u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn kv_get(_: *const u8, _: u32, _: *mut u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn kv_set(_: *const u8, _: u32, _: *const u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn kv_del(_: *const u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn kv_add(_: *const u8, _: u32, _: i64) -> i64 {
        i64::MIN - MISPLACED as i64
    }
    pub unsafe fn kv_next(_: *const u8, _: u32, _: *mut u8, _: u32) -> i32 {
        MISPLACED
    }
    pub unsafe fn log(_: i32, _: *const u8, _: u32) {}
    pub unsafe fn stat(_: *const u8, _: u32, _: i64) {}
    pub unsafe fn fail(_: *const u8, _: u32) {}
}

// Every call hands over a slice that lives until the call returns, and the router keeps no pointer into the memory: so each of them is sound.

pub fn read(field: i32, off: u32, buf: &mut [u8]) -> i32 {
    unsafe { imports::read(field, off, buf.as_mut_ptr(), buf.len() as u32) }
}

pub fn num(field: i32) -> i64 {
    unsafe { imports::num(field) }
}

pub fn header(name: &str, buf: &mut [u8]) -> i32 {
    unsafe { imports::header(name.as_ptr(), name.len() as u32, buf.as_mut_ptr(), buf.len() as u32) }
}

pub fn set(field: i32, value: &[u8]) -> i32 {
    unsafe { imports::set(field, value.as_ptr(), value.len() as u32) }
}

pub fn set_header(name: &str, value: &[u8]) -> i32 {
    unsafe { imports::set_header(name.as_ptr(), name.len() as u32, value.as_ptr(), value.len() as i32) }
}

pub fn delete_header(name: &str) -> i32 {
    unsafe { imports::set_header(name.as_ptr(), name.len() as u32, core::ptr::null(), -1) }
}

pub fn emit_header(name: &str, value: &[u8]) -> i32 {
    unsafe { imports::emit_header(name.as_ptr(), name.len() as u32, value.as_ptr(), value.len() as u32) }
}

pub fn opt(key: i32, value: i64) -> i32 {
    unsafe { imports::opt(key, value) }
}

pub fn emit(channel: &str, body: &[u8]) -> i32 {
    unsafe { imports::emit(channel.as_ptr(), channel.len() as u32, body.as_ptr(), body.len() as u32) }
}

pub fn kv_get(key: &[u8], buf: &mut [u8]) -> i32 {
    unsafe { imports::kv_get(key.as_ptr(), key.len() as u32, buf.as_mut_ptr(), buf.len() as u32) }
}

pub fn kv_set(key: &[u8], value: &[u8]) -> i32 {
    unsafe { imports::kv_set(key.as_ptr(), key.len() as u32, value.as_ptr(), value.len() as u32) }
}

pub fn kv_del(key: &[u8]) -> i32 {
    unsafe { imports::kv_del(key.as_ptr(), key.len() as u32) }
}

pub fn kv_add(key: &[u8], delta: i64) -> i64 {
    unsafe { imports::kv_add(key.as_ptr(), key.len() as u32, delta) }
}

pub fn kv_next(key: &[u8], buf: &mut [u8]) -> i32 {
    unsafe { imports::kv_next(key.as_ptr(), key.len() as u32, buf.as_mut_ptr(), buf.len() as u32) }
}

pub fn log(level: i32, text: &str) {
    unsafe { imports::log(level, text.as_ptr(), text.len() as u32) }
}

pub fn stat(name: &str, delta: i64) {
    unsafe { imports::stat(name.as_ptr(), name.len() as u32, delta) }
}

pub fn fail(reason: &str) {
    unsafe { imports::fail(reason.as_ptr(), reason.len() as u32) }
}

/// Calls f with growing buffers until the whole value fits. A negative length is the router's error.
pub fn fill(f: impl Fn(&mut [u8]) -> i32) -> core::result::Result<Vec<u8>, i32> {
    let mut buf = vec![0; 256];
    loop {
        let n = f(&mut buf);
        if n < 0 {
            return Err(n);
        }
        let n = n as usize;
        if n <= buf.len() {
            buf.truncate(n);
            return Ok(buf);
        }
        buf = vec![0; n];
    }
}
