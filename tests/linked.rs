//! ONNX Runtime linked into the program, instead of loaded at run time. Linking needs its library: .ci/run has one.
#![cfg(all(feature = "download-binaries", not(feature = "load-dynamic")))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bonafide::Runtime;
use common::Model;

#[test]
fn the_linked_library_tells_its_version() {
    let model = Model::tiny();
    let detector = model.detector(Runtime::OnnxRuntime).build().unwrap();
    let info = detector.info();
    assert_eq!(info.library, None, "nothing is loaded");
    // What was linked is known to who linked it.
    match std::env::var("BONAFIDE_LINKED_ONNXRUNTIME") {
        Ok(version) => assert_eq!(info.runtime_version, version),
        Err(_) => assert!(info.runtime_version.starts_with("1."), "{}", info.runtime_version),
    }
}
