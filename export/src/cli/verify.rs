//! `bonafide-export verify MODEL.onnx --against CHECKPOINT`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bonafide_export::{LayerReport, Verification, VerifyOptions, verify};
use clap::Args;

use super::table::{Side, table};
use super::{bar, byte_bar, fail, print, print_json};

/// Runs an ONNX model and its checkpoint on the same audio, and compares them layer by layer
///
/// The checkpoint goes through a forward pass in plain Rust and double precision, which shares nothing with the exporter
/// but the reading of tensors. Exit code 0: within the tolerance; 1: beyond it; 2: could not be compared.
#[derive(Args)]
#[command(after_help = "Tolerances, unless given:
  precision  P(spoof)  layers
  f32        1e-4      1e-4
  f16        0.01      0.01
  int8       0.05      0.25

Examples:
  bonafide-export verify model.onnx --against stage2_best.pt
  bonafide-export verify model.onnx --against stage2_best.pt --audio call.mp3 --audio interview.wav
  bonafide-export verify model.onnx --against wav2vec2-deepfake/ --tolerance 1e-3 --json")]
pub(crate) struct Arguments {
    /// The ONNX model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// The checkpoint that it should be the same as: a file, folder or `hf://OWNER/NAME[@REVISION][/FILE]`
    #[arg(long, value_name = "FOLDER_OR_FILE")]
    against: PathBuf,
    /// An audio file to compare on, every window of it; may be repeated [default: one window of generated sounds]
    #[arg(long, value_name = "FILE")]
    audio: Vec<PathBuf>,
    /// What the generated sounds are made from
    #[arg(long, default_value_t = 0, conflicts_with = "audio")]
    seed: u64,
    /// The largest difference of P(spoof) in any window
    #[arg(long, value_name = "P", value_parser = tolerance)]
    tolerance: Option<f64>,
    /// The largest relative difference of a layer's values, ‖model − checkpoint‖ / ‖checkpoint‖
    #[arg(long, value_name = "R", value_parser = tolerance)]
    layer_tolerance: Option<f64>,
    /// The checkpoint's config.json, if it isn't beside it
    #[arg(long, value_name = "config.json")]
    config: Option<PathBuf>,
    /// Which of the checkpoint's two classes is spoof, where it doesn't say
    #[arg(long, value_name = "0|1")]
    spoof_index: Option<usize>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Parses a tolerance.
fn tolerance(text: &str) -> Result<f64, String> {
    let parsed = text.parse().ok().filter(|tolerance: &f64| *tolerance >= 0.0);
    parsed.ok_or_else(|| format!("expected a number from 0, found `{text}`"))
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let mut options = VerifyOptions::default();
    options.config = arguments.config;
    options.spoof_index = arguments.spoof_index;
    options.audio = arguments.audio;
    options.seed = arguments.seed;
    options.tolerance = arguments.tolerance;
    options.layer_tolerance = arguments.layer_tolerance;

    let start = Instant::now();
    let download = byte_bar();
    let checkpoint = crate::locate(arguments.against, &download);
    download.finish_and_clear();
    let bar = bar("{bar:40} {pos}/{len} {msg} {eta}");
    let verified = checkpoint.and_then(|checkpoint| {
        verify(&arguments.model, checkpoint, &options, &mut |progress| {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            bar.set_message(progress.layer);
        })
    });
    bar.finish_and_clear();
    let found = match verified {
        Ok(found) => found,
        Err(error) => return fail(&error, 2),
    };
    if arguments.json {
        if let Err(error) = print_json(&found) {
            return fail(&error, 2);
        }
    } else {
        print(&describe(&found));
        print(&format!("  done in {:.1} s\n", start.elapsed().as_secs_f64()));
    }
    if found.passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

fn describe(found: &Verification) -> String {
    let mut text = String::new();
    let layer_runtime = found.layer_runtime.as_deref().unwrap_or("nothing could run them");
    let facts = [
        ("checkpoint", found.layout.to_string()),
        ("precision", found.precision.clone()),
        ("scores", format!("by {}", found.runtime)),
        ("layers", format!("by {layer_runtime}")),
    ];
    let rows: Vec<Vec<String>> = facts
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    text += &table(&[Side::Left, Side::Left], &rows);
    if found.same_source == Some(false) {
        text += "  the model says that it was exported from another file than this checkpoint\n";
    }

    let mut rows = vec![["layer", "relative", "largest", ""].map(str::to_owned).to_vec()];
    rows.extend(found.layers.iter().map(layer));
    text += &format!(
        "\n{}",
        table(&[Side::Left, Side::Right, Side::Right, Side::Left], &rows)
    );

    let titles = ["clip", "seconds", "checkpoint", "model", "difference", ""];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for clip in &found.clips {
        let name = match (&clip.file, clip.seed) {
            (Some(file), _) => file.display().to_string(),
            (None, seed) => format!("generated, seed {}", seed.unwrap_or(0)),
        };
        rows.extend(clip.windows.iter().map(|window| {
            vec![
                name.clone(),
                format!("{:.2}–{:.2}", window.start_seconds, window.end_seconds),
                format!("{:.6}", window.checkpoint_p_spoof),
                format!("{:.6}", window.model_p_spoof),
                format!("{:.1e}", (window.model_p_spoof - window.checkpoint_p_spoof).abs()),
                verdict(Some(window.within)).to_owned(),
            ]
        }));
    }
    text += "\n  P(spoof)\n";
    let sides = [
        Side::Left,
        Side::Right,
        Side::Right,
        Side::Right,
        Side::Right,
        Side::Left,
    ];
    text += &table(&sides, &rows);

    let tolerance = format!(
        "(tolerance: {:e} in P(spoof), {:e} in layers)",
        found.tolerance.p_spoof, found.tolerance.layers
    );
    text += &match &found.first_beyond {
        None => format!(
            "\nthe same: P(spoof) differs by at most {:.1e} {tolerance}\n",
            found.max_p_spoof_difference
        ),
        Some(first) => format!("\nNOT the same: first beyond the tolerance is {first} {tolerance}\n"),
    };
    text
}

fn layer(layer: &LayerReport) -> Vec<String> {
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.1e}"));
    let note = match (&layer.note, layer.within) {
        (Some(note), Some(_)) => format!("{}: {note}", verdict(layer.within)),
        (Some(note), None) => format!("not compared: {note}"),
        (None, within) => verdict(within).to_owned(),
    };
    vec![
        layer.name.clone(),
        number(layer.relative),
        number(layer.max_absolute),
        note,
    ]
}

fn verdict(within: Option<bool>) -> &'static str {
    match within {
        Some(true) => "ok",
        Some(false) => "BEYOND",
        None => "",
    }
}
