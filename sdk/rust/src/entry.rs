use crate::{fail, host, Message, Verdict};
use std::panic;
use std::sync::Once;

static HOOK: Once = Once::new();

/// Makes a panic leave its text and place as the reason before it ends the call.
fn ready() {
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let text = if let Some(s) = info.payload().downcast_ref::<&str>() {
                s
            } else if let Some(s) = info.payload().downcast_ref::<String>() {
                s.as_str()
            } else {
                "something that is no text"
            };
            let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
            let reason = format!("panic: {}{}", text, place);
            host::log(3, &reason);
            fail(&reason);
        }));
    });
}

pub fn run_message(body_len: i32, f: impl Fn(&Message) -> Verdict) -> i32 {
    ready();
    f(&Message::new(body_len)).code()
}

pub fn run_tick(now_ms: i64, f: impl Fn(i64) -> Verdict) -> i32 {
    ready();
    f(now_ms).code()
}

pub fn run_report(f: impl Fn() -> Result<(), String>) -> i32 {
    ready();
    match f() {
        Ok(()) => 0,
        Err(reason) => {
            fail(&reason);
            1
        }
    }
}

pub fn run_stop(f: impl Fn()) {
    ready();
    f()
}

/// Registers what passes, changes or drops a message: a function of `&Message` that returns a [`Verdict`].
#[macro_export]
macro_rules! filter {
    ($f:expr) => {
        #[no_mangle]
        pub extern "C" fn rmds_filter(body_len: i32) -> i32 {
            $crate::run_message(body_len, $f)
        }
    };
}

/// Registers what consumes a message: a function of `&Message` that returns a [`Verdict`].
#[macro_export]
macro_rules! handle {
    ($f:expr) => {
        #[no_mangle]
        pub extern "C" fn rmds_handle(body_len: i32) -> i32 {
            $crate::run_message(body_len, $f)
        }
    };
}

/// Registers what is called at the configured interval: a function of the time in unix milliseconds that returns a [`Verdict`].
#[macro_export]
macro_rules! tick {
    ($f:expr) => {
        #[no_mangle]
        pub extern "C" fn rmds_tick(now_ms: i64) -> i32 {
            $crate::run_tick(now_ms, $f)
        }
    };
}

/// Registers what runs once for every instance, before anything else: a function that returns `Result<(), String>`. An error refuses to start.
#[macro_export]
macro_rules! start {
    ($f:expr) => {
        #[no_mangle]
        pub extern "C" fn rmds_init() -> i32 {
            $crate::run_report($f)
        }
    };
}

/// Registers what tells whether the plugin is well: a function that returns `Result<(), String>`.
#[macro_export]
macro_rules! health {
    ($f:expr) => {
        #[no_mangle]
        pub extern "C" fn rmds_health() -> i32 {
            $crate::run_report($f)
        }
    };
}

/// Registers what runs before an instance ends in good order.
#[macro_export]
macro_rules! stop {
    ($f:expr) => {
        #[no_mangle]
        pub extern "C" fn rmds_stop() {
            $crate::run_stop($f)
        }
    };
}
