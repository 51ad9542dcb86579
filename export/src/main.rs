//! `bonafide-export CHECKPOINT OUT.onnx`: the command-line face of the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bonafide_export::{Batch, Options, Precision, Summary, Target, export};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Turns the PyTorch checkpoint of a wav2vec2 anti-spoofing model into an ONNX graph, without Python.
///
/// Nothing in the checkpoint is executed. The ONNX file takes `waveform` (f32 [N, 64000], mono, 16 kHz) and gives
/// `logits` (f32 [N, 2]: bona fide, spoof).
#[derive(Parser)]
#[command(name = "bonafide-export", version)]
struct Arguments {
    /// The checkpoint: a file written by torch.save
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,
    /// The ONNX file to write
    #[arg(value_name = "OUT.onnx")]
    out: PathBuf,
    /// The network's shape, in Hugging Face's form [default: config.json beside the checkpoint, or else the shape of
    /// facebook/wav2vec2-base]
    #[arg(long, value_name = "config.json")]
    config: Option<PathBuf>,
    /// Samples per window at 16 kHz
    #[arg(long, default_value_t = Options::default().window_samples)]
    window_samples: usize,
    /// Windows per run: a number, or `dynamic` for any number
    #[arg(long, value_name = "N|dynamic", default_value = "dynamic")]
    batch: Batch,
    /// The numbers that the weights are stored in, and what is computed with: f32, f16 (half the size, for GPUs) or int8
    /// (a quarter of the size, for processors)
    #[arg(long, value_name = "f32|f16|int8", default_value_t)]
    precision: Precision,
    /// What the model is to run on: `any` runtime, with standard operators only, or `onnxruntime`, whose own operators
    /// may then be used
    #[arg(long, value_name = "any|onnxruntime", default_value_t)]
    target: Target,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut options = Options::default();
    options.config = arguments.config;
    options.window_samples = arguments.window_samples;
    options.batch = arguments.batch;
    options.precision = arguments.precision;
    options.target = arguments.target;

    let start = Instant::now();
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let exported = export(&arguments.checkpoint, &arguments.out, &options, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    match exported {
        Ok(summary) => {
            report(&summary, &arguments.out.display().to_string());
            println!("  done in {:.1} s", start.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(summary: &Summary, out: &str) {
    let config = &summary.config;
    let shape_source = match &summary.config_path {
        Some(path) => path.display().to_string(),
        None => "no config.json: facebook/wav2vec2-base, which every tensor fits".to_owned(),
    };
    println!(
        "{out}: {:.1} MB, {} parameters",
        summary.bytes as f64 / 1e6,
        summary.parameters
    );
    println!(
        "  {} layers of {}, {} heads ({shape_source})",
        config.num_hidden_layers, config.hidden_size, config.num_attention_heads
    );
    for (key, value) in &summary.metadata {
        println!("  {key} = {value}");
    }
}
