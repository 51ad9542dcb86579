//! `bonafide-export CHECKPOINT OUT.onnx`: the command-line face of the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bonafide_export::{Batch, Options, Summary, export};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Turns the PyTorch checkpoint of a wav2vec2 anti-spoofing model into an ONNX graph, without Python.
///
/// Nothing in the checkpoint is executed. The ONNX file takes `waveform` (f32 [N, 64000], mono, 16 kHz) and gives
/// `logits` (f32 [N, 2]: bona fide, spoof).
#[derive(Parser)]
#[command(name = "bonafide-export", version)]
struct Arguments {
    /// The checkpoint: a file of torch.save or safetensors, a folder of Hugging Face's, or
    /// `hf://OWNER/NAME[@REVISION][/FILE]`
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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut options = Options::default();
    options.config = arguments.config;
    options.window_samples = arguments.window_samples;
    options.batch = arguments.batch;

    let start = Instant::now();
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let exported = locate(arguments.checkpoint, &bar).and_then(|checkpoint| {
        export(checkpoint, &arguments.out, &options, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })
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

/// The path of a checkpoint, fetched if it is on the hub.
fn locate(source: PathBuf, bar: &ProgressBar) -> bonafide_export::Result<PathBuf> {
    match source.to_str().filter(|name| name.starts_with("hf://")) {
        Some(name) => fetch(name, bar),
        None => Ok(source),
    }
}

#[cfg(feature = "hub")]
fn fetch(name: &str, bar: &ProgressBar) -> bonafide_export::Result<PathBuf> {
    use bonafide_export::hub::Hub;

    let folder = Hub::from_env().fetch(&name.parse()?, &mut |download| {
        bar.set_message(download.file.to_owned());
        if let Some(total) = download.total {
            bar.set_length(total);
        }
        bar.set_position(download.done);
    })?;
    bar.set_message("");
    Ok(folder)
}

#[cfg(not(feature = "hub"))]
fn fetch(name: &str, _: &ProgressBar) -> bonafide_export::Result<PathBuf> {
    Err(bonafide_export::Error::HubFeature { name: name.to_owned() })
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
