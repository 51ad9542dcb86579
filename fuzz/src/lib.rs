//! Fuzz targets: functions that take any bytes, and panic where a promise of the crates is broken.
//!
//! `fuzz_targets` has a program for libFuzzer around each; `tests/replay.rs` calls them with all that was ever found.

mod audio;
mod checkpoint;
mod checksum;
mod config;
mod evaluate;
mod onnx;
#[cfg(feature = "stream")]
mod stream;
mod windows;

use std::panic::{self, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

pub use audio::{adts, flac, mp3, mp4, ogg, wav};
pub use checkpoint::{checkpoint, pickle, safetensors};
pub use config::config;
pub use evaluate::{protocols, scores};
pub use onnx::onnx;
#[cfg(feature = "stream")]
pub use stream::stream;
pub use windows::windows;

// The example's modules know each other by these names.
use evaluate::source::{failure, scores};

/// A target.
pub type Target = fn(&[u8]);

/// The targets of this build, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("adts", adts),
    ("checkpoint", checkpoint),
    ("config", config),
    ("flac", flac),
    ("mp3", mp3),
    ("mp4", mp4),
    ("ogg", ogg),
    ("onnx", onnx),
    ("pickle", pickle),
    ("protocols", protocols),
    ("safetensors", safetensors),
    ("scores", scores),
    #[cfg(feature = "stream")]
    ("stream", stream),
    ("wav", wav),
    ("windows", windows),
];

/// Runs a target for libFuzzer, and aborts if a panic leaves it.
///
/// `libfuzzer-sys` aborts where a panic starts. But the library catches those of other people's decoders, as it promises,
/// and such a panic is no finding: here only what comes out counts.
pub fn run(target: Target, data: &[u8]) {
    static HOOK: Once = Once::new();
    static LAST: Mutex<String> = Mutex::new(String::new());
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }));
    });
    if catch_unwind(|| target(data)).is_err() {
        eprintln!("{}", LAST.lock().unwrap_or_else(PoisonError::into_inner));
        std::process::abort();
    }
}
