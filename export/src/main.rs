//! `bonafide-export FOLDER_OR_FILE OUT.onnx`: the command-line face of the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bonafide_export::{Batch, Layout, Options, Shape, Summary, export};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Turns the checkpoint of a wav2vec2, HuBERT or WavLM anti-spoofing model into an ONNX graph, without Python.
///
/// The checkpoint's layout is found from its tensors: the published model's, Hugging Face's ForSequenceClassification,
/// or AntiDeepfake's. Nothing in it is executed. The ONNX file takes `waveform` (f32 [N, 64000], mono, 16 kHz) and gives
/// `logits` (f32 [N, 2]: always bona fide, spoof).
#[derive(Parser)]
#[command(name = "bonafide-export", version)]
struct Arguments {
    /// The checkpoint: its file, or the folder that has it with its config.json and preprocessor_config.json
    #[arg(value_name = "FOLDER_OR_FILE")]
    checkpoint: PathBuf,
    /// The ONNX file to write
    #[arg(value_name = "OUT.onnx")]
    out: PathBuf,
    /// The network's shape, in Hugging Face's form [default: config.json beside the checkpoint]
    ///
    /// Without either, the published model's layout has the shape of facebook/wav2vec2-base, and AntiDeepfake's the shape
    /// that its tensors have.
    #[arg(long, value_name = "config.json")]
    config: Option<PathBuf>,
    /// Which of the checkpoint's two classes is spoof, where config.json doesn't tell by their names
    #[arg(long, value_name = "0|1", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(0..=1))]
    spoof_index: Option<usize>,
    /// Samples per window at 16 kHz
    #[arg(long, default_value_t = Options::default().window_samples)]
    window_samples: usize,
    /// Windows per run: a number, or `dynamic` for any number
    #[arg(long, value_name = "N|dynamic", default_value = "dynamic")]
    batch: Batch,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut options = Options::default();
    options.config = arguments.config;
    options.spoof_index = arguments.spoof_index;
    options.window_samples = arguments.window_samples;
    options.batch = arguments.batch;

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
    let shape_source = match &summary.config_path {
        Some(path) => path.display().to_string(),
        None if summary.layout == Layout::Original => {
            "no config.json: facebook/wav2vec2-base, which every tensor fits".to_owned()
        }
        None => "no config.json: as the tensors have it".to_owned(),
    };
    println!(
        "{out}: {:.1} MB, {} parameters",
        summary.bytes as f64 / 1e6,
        summary.parameters
    );
    match &summary.shape {
        Shape::Wav2vec2(config) => println!(
            "  {} layers of {}, {} heads ({shape_source})",
            config.num_hidden_layers, config.hidden_size, config.num_attention_heads
        ),
        Shape::Lite(config) => println!("  {} residual blocks ({shape_source})", config.blocks().len()),
        _ => {}
    }
    println!("  layout: {}", summary.layout);
    println!("  classes: {}", summary.labels);
    println!("  samples: {}", summary.normalization);
    for (key, value) in &summary.metadata {
        println!("  {key} = {value}");
    }
}
