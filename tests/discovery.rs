//! Libraries that are not the ONNX Runtime asked for are errors that say why, never a crash or a hang.
//!
//! The real one is never loaded into this process: a process can have only one.
#![cfg(all(feature = "load-dynamic", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide::{Error, Runtime};
use common::{Model, example, fixture};

/// Compiles a shared library.
fn library(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (code, library) = (folder.join(format!("{name}.rs")), folder.join(format!("lib{name}.so")));
    std::fs::write(&code, source).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    let status = command
        .args(["--edition=2024", "--crate-type=cdylib", "-L"])
        .arg(folder)
        .arg("-o")
        .arg(&library)
        .arg(&code)
        .status();
    assert!(status.unwrap().success());
    library
}

/// A library with ONNX Runtime's entry point, which states `version` and has no API at all.
fn pretender(folder: &Path, name: &str, version: &str) -> PathBuf {
    let source = format!(
        r#"
        use std::ffi::{{c_char, c_void}};
        #[repr(C)]
        pub struct Base(extern "C" fn(u32) -> *const c_void, extern "C" fn() -> *const c_char);
        extern "C" fn api(_: u32) -> *const c_void {{ std::ptr::null() }}
        extern "C" fn version() -> *const c_char {{ c"{version}".as_ptr() }}
        static BASE: Base = Base(api, version);
        #[unsafe(no_mangle)]
        pub extern "C" fn OrtGetApiBase() -> *const Base {{ &BASE }}
        "#
    );
    library(folder, name, &source)
}

/// Why a library was refused when it was the one to use.
fn refusal(model: &Model, runtime: Runtime, library: &Path) -> String {
    match model
        .detector(runtime)
        .onnxruntime_library(library)
        .build()
        .unwrap_err()
    {
        Error::OnnxRuntimeNotFound { tried } => {
            assert_eq!(tried.len(), 1, "a library that is named is the only one tried");
            assert_eq!(tried[0].0, library);
            tried[0].1.clone()
        }
        error => panic!("{error}"),
    }
}

#[test]
fn libraries_that_will_not_do_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = Model::tiny();
    let other = library(folder, "other", "#[unsafe(no_mangle)] pub extern \"C\" fn other() {}");
    let null = library(
        folder,
        "null",
        "#[unsafe(no_mangle)] pub extern \"C\" fn OrtGetApiBase() -> *const u8 { std::ptr::null() }",
    );
    let mut bytes = std::fs::read(&other).unwrap();
    // The machine in the ELF header, turned into one that nobody has.
    bytes[18..20].copy_from_slice(&[0xff, 0x7f]);
    let foreign = folder.join("libforeign.so");
    std::fs::write(&foreign, bytes).unwrap();
    let text = folder.join("libtext.so");
    std::fs::write(&text, "not a library").unwrap();
    let pipe = folder.join("libpipe.so");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());

    for runtime in [Runtime::Auto, Runtime::OnnxRuntime] {
        for (library, reason) in [
            (&other, "it has no OrtGetApiBase"),
            (&null, "returned nothing"),
            (
                &pretender(folder, "old", "1.16.3"),
                "it has version 1.16.3; expected 1.17 or a later 1.x",
            ),
            (
                &pretender(folder, "next", "2.0.0"),
                "it has version 2.0.0; expected 1.17 or a later 1.x",
            ),
            (&pretender(folder, "odd", "what?"), "it has version what?; expected"),
            (&pretender(folder, "hollow", "1.31.0"), "lacks the API 1.17"),
            (&foreign, "libforeign.so"),
            (&text, "libtext.so"),
            (&pipe, "not a file"),
            (&folder.to_owned(), "not a file"),
            (&folder.join("missing.so"), "No such file"),
            (&PathBuf::new(), "No such file"),
        ] {
            let found = refusal(&model, runtime, library);
            assert!(found.contains(reason), "{}: {found}", library.display());
        }
    }
}

#[test]
fn a_library_that_is_cut_short_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = Model::tiny();
    let whole = std::fs::read(pretender(folder, "whole", "1.31.0")).unwrap();
    let cut = folder.join("libcut.so");
    // What is loaded of a library comes first in it, and then its tables for linkers and debuggers.
    for length in [0, 1, 16, 63, 64, 65, 512, 4_096, 5_000] {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let found = refusal(&model, Runtime::OnnxRuntime, &cut);
        let said = found.contains("it is cut short") || found.contains("libcut.so");
        assert!(said, "{length} of {} bytes: {found}", whole.len());
    }
}

/// Where it was fetched.
#[test]
fn the_real_library_is_refused_when_it_is_cut_short() {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let Ok(whole) = std::fs::read(target.join("onnxruntime/libonnxruntime.so")) else {
        assert!(std::env::var_os("BONAFIDE_REQUIRE_ONNXRUNTIME").is_none());
        return eprintln!("ONNX Runtime was not found, so it is not cut; scripts/onnxruntime.sh fetches it");
    };
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("libonnxruntime.so");
    let model = Model::tiny();
    for percent in [1, 10, 50, 90] {
        let length = whole.len() / 100 * percent;
        std::fs::write(&cut, &whole[..length]).unwrap();
        let found = refusal(&model, Runtime::OnnxRuntime, &cut);
        let expected = format!("it has {length} bytes, expected at least ");
        assert!(found.contains(&expected), "{percent} %: {found}");
    }
}

#[test]
fn a_library_that_needs_another_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let gone = library(folder, "gone", "#[unsafe(no_mangle)] pub extern \"C\" fn gone() {}");
    let source = r#"
        #[link(name = "gone")]
        unsafe extern "C" { safe fn gone(); }
        #[unsafe(no_mangle)]
        pub extern "C" fn OrtGetApiBase() -> *const u8 { gone(); std::ptr::null() }
        "#;
    let needy = library(folder, "needy", source);
    std::fs::remove_file(gone).unwrap();
    let found = refusal(&Model::tiny(), Runtime::OnnxRuntime, &needy);
    assert!(found.contains("libgone.so"), "{found}");
}

#[test]
fn a_library_in_the_environment_that_will_not_do_is_passed_over_visibly() {
    let folder = tempfile::tempdir().unwrap();
    let old = pretender(folder.path(), "old", "1.16.3");
    let model = Model::tiny();
    // In a process of its own, as the environment is the process's.
    let output = Command::new(example("score"))
        .arg("--model")
        .args([model.path(), fixture("speech.wav")])
        .env("ORT_DYLIB_PATH", &old)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let runtime = text.lines().last().unwrap();
    // Another ONNX Runtime of this machine, or rten, which then says why.
    let says_why = runtime.contains("rten") && runtime.contains("libold.so: it has version 1.16.3");
    assert!(runtime.contains("onnxruntime") || says_why, "{runtime}");
}

/// ONNX Runtime keeps an identifier, a session and a queue on disk where it reports to its makers.
#[test]
fn nothing_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(example("score"))
        .arg(fixture("speech.wav"))
        .current_dir(folder.path())
        .envs(["HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"].map(|name| (name, folder.path())))
        .env("ORT_DISABLE_TELEMETRY", "0")
        .output()
        .unwrap();
    assert!(output.status.success());
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    if std::env::var_os("BONAFIDE_REQUIRE_ONNXRUNTIME").is_some() {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("runtime: onnxruntime"), "{text}");
    }
}
