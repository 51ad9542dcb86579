//! `bonafide-export FOLDER_OR_FILE OUT.onnx`, `bonafide-export inspect` and `bonafide-export verify`: the command-line face
//! of the library.
#![forbid(unsafe_code)]

mod cli;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bonafide_export::{Batch, Calibration, Layout, Options, Precision, Shape, Summary, Target, export};
use clap::{Args, Parser, Subcommand};
use indicatif::ProgressBar;

/// Turns the checkpoint of a wav2vec2, HuBERT or WavLM anti-spoofing model into an ONNX graph, without Python.
///
/// The checkpoint's layout is found from its tensors: the published model's, Hugging Face's for sequence classification,
/// or AntiDeepfake's. Nothing in it is executed. The ONNX file takes `waveform` (f32 [N, 64000], mono, 16 kHz) and gives
/// `logits` (f32 [N, 2]: always bona fide, spoof).
#[derive(Parser)]
#[command(
    name = "bonafide-export",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = EXAMPLES
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    export: Option<Arguments>,
}

const EXAMPLES: &str = "Examples:
  bonafide-export stage2_best.pt model.onnx
  bonafide-export inspect stage2_best.pt
  bonafide-export verify model.onnx --against stage2_best.pt";

#[derive(Subcommand)]
enum Command {
    Inspect(cli::inspect::Arguments),
    #[cfg(feature = "verify")]
    Verify(cli::verify::Arguments),
}

#[derive(Args)]
struct Arguments {
    /// The checkpoint: its file, the folder that has it with its configuration files, or
    /// `hf://OWNER/NAME[@REVISION][/FILE]`
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
    /// The numbers that the weights are stored in, and what is computed with: f32, f16 (half the size, for GPUs) or int8
    /// (a quarter of the size, for processors)
    #[arg(long, value_name = "f32|f16|int8", default_value_t)]
    precision: Precision,
    /// What the model is to run on: `any` runtime, with standard operators only, or `onnxruntime`, whose own operators
    /// may then be used
    #[arg(long, value_name = "any|onnxruntime", default_value_t)]
    target: Target,
    /// Calibrates the log-likelihood ratio in the graph: SCALE · llr + OFFSET, as `evaluate calibrate` fits them
    #[arg(long, value_name = "SCALE,OFFSET", allow_hyphen_values = true)]
    calibration: Option<Calibration>,
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    match (command_line.command, command_line.export) {
        (Some(Command::Inspect(arguments)), _) => cli::inspect::run(arguments),
        #[cfg(feature = "verify")]
        (Some(Command::Verify(arguments)), _) => cli::verify::run(arguments),
        (None, Some(arguments)) => run(arguments),
        // clap asks for the checkpoint before it comes to this.
        (None, None) => ExitCode::FAILURE,
    }
}

fn run(arguments: Arguments) -> ExitCode {
    let mut options = Options::default();
    options.config = arguments.config;
    options.spoof_index = arguments.spoof_index;
    options.window_samples = arguments.window_samples;
    options.batch = arguments.batch;
    options.precision = arguments.precision;
    options.target = arguments.target;
    options.calibration = arguments.calibration;

    let start = Instant::now();
    let bar = cli::byte_bar();
    let exported = locate(arguments.checkpoint, &bar).and_then(|checkpoint| {
        export(checkpoint, &arguments.out, &options, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })
    });
    bar.finish_and_clear();
    match exported {
        Ok(summary) => {
            let seconds = start.elapsed().as_secs_f64();
            // The model is written: who closes the pipe has read enough.
            drop(report(&summary, &arguments.out.display().to_string(), seconds));
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

fn report(summary: &Summary, file: &str, seconds: f64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let shape_source = match &summary.config_path {
        Some(path) => path.display().to_string(),
        None if summary.layout == Layout::Original => {
            "no config.json: facebook/wav2vec2-base, which every tensor fits".to_owned()
        }
        None => "no config.json: as the tensors have it".to_owned(),
    };
    writeln!(
        out,
        "{file}: {:.1} MB, {} parameters",
        summary.bytes as f64 / 1e6,
        summary.parameters
    )?;
    match &summary.shape {
        Shape::Wav2vec2(config) => writeln!(
            out,
            "  {} layers of {}, {} heads ({shape_source})",
            config.num_hidden_layers, config.hidden_size, config.num_attention_heads
        )?,
        Shape::Lite(config) => {
            let blocks: usize = config.networks().map(|(_, config)| config.blocks().len()).sum();
            let networks = config.networks().count();
            writeln!(
                out,
                "  residual blocks: {blocks}, networks: {networks} ({shape_source})"
            )?;
        }
        _ => {}
    }
    writeln!(out, "  layout: {}", summary.layout)?;
    writeln!(out, "  classes: {}", summary.labels)?;
    writeln!(out, "  samples: {}", summary.normalization)?;
    for (key, value) in &summary.metadata {
        writeln!(out, "  {key} = {value}")?;
    }
    writeln!(out, "  done in {seconds:.1} s")
}
