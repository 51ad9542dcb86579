//! What is read of an ONNX file before a runtime sees it.

use bonafide::{Detector, Error, ModelMetadata, Runtime};

/// The library's reader of headers, and the exporter's of all but the weights.
pub fn onnx(data: &[u8]) {
    for metadata in [None, Some(ModelMetadata::default())] {
        let mut builder = Detector::builder()
            .model_bytes(data.to_vec())
            .runtime(Runtime::OnnxRuntime);
        if let Some(metadata) = metadata {
            builder = builder.metadata(metadata);
        }
        match builder.build() {
            // The header is accepted, and this build has no such runtime: the graph is not run.
            Err(Error::RuntimeDisabled { .. }) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(_) => panic!("this build should have no ONNX Runtime"),
        }
    }

    let file = tempfile::Builder::new().suffix(".onnx").tempfile().unwrap();
    std::fs::write(file.path(), data).unwrap();
    match bonafide_export::inspect(file.path(), &mut |_| {}) {
        Ok(found) => {
            assert!(found.files.iter().map(|file| file.bytes).sum::<u64>() >= data.len() as u64);
            serde_json::to_string(&found).unwrap();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
