//! A peer of the comparison: loads a model, then answers each line, the path of a WAV file, with its P(spoof).
//!
//! `compare onnxruntime|rten|tract MODEL.onnx`
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{BufRead, Write};

use bonafide::{Audio, Detector, Runtime, Windowing};
use tract_onnx::prelude::*;

type Scorer = Box<dyn FnMut(&str) -> Result<f64, Box<dyn Error>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [peer, model] = &arguments[..] else {
        return Err("expected: compare onnxruntime|rten|tract MODEL.onnx".into());
    };
    let mut score = match peer.as_str() {
        "onnxruntime" => bonafide(model, Runtime::OnnxRuntime)?,
        "rten" => bonafide(model, Runtime::Rten)?,
        "tract" => tract(model)?,
        other => return Err(format!("expected onnxruntime, rten or tract, found {other}").into()),
    };
    let mut out = std::io::stdout();
    for path in std::io::stdin().lock().lines() {
        writeln!(out, "{}", score(&path?)?)?;
        out.flush()?;
    }
    Ok(())
}

fn bonafide(model: &str, runtime: Runtime) -> Result<Scorer, Box<dyn Error>> {
    let detector = Detector::builder().model(model).runtime(runtime).build()?;
    Ok(Box::new(move |path| Ok(f64::from(detector.score_file(path)?.spoof_probability))))
}

/// tract as a program would use it: the graph is made to measure for one window, and windows are run one by one.
fn tract(model: &str) -> Result<Scorer, Box<dyn Error>> {
    let windowing = Windowing::default();
    let shape = [1, windowing.length()];
    let plan = tract_onnx::onnx()
        .model_for_path(model)?
        .with_input_fact(0, f32::fact(shape).into())?
        .into_optimized()?
        .into_runnable()?;
    Ok(Box::new(move |path| {
        let samples = Audio::read(path)?.to_model_input()?;
        let mut sum = 0.0;
        for window in windowing.windows(&samples) {
            let outputs = plan.run(tvec!(Tensor::from_shape(&shape, &window.samples)?.into()))?;
            let logits = outputs[0].cast_to::<f32>()?;
            let [bonafide, spoof] = logits.try_as_plain_ram()?.as_slice::<f32>()? else {
                return Err("expected two logits".into());
            };
            sum += 1.0 / (1.0 + f64::from(bonafide - spoof).exp());
        }
        Ok(sum / windowing.count(samples.len()) as f64)
    }))
}
