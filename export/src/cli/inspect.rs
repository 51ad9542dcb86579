//! `bonafide-export inspect FILE`

use std::path::PathBuf;
use std::process::ExitCode;

use bonafide_export::{Inspection, Port, Size, inspect};
use clap::Args;

use super::table::{Side, table};
use super::{byte_bar, bytes, fail, grouped, print, print_json};

/// Shows what a checkpoint or an ONNX model is, without loading its weights
///
/// Layout, shapes, parameters, labels, normalisation, metadata, hashes, operators, and the size of each layer. A name that
/// ends in .onnx is read as an ONNX model, everything else as a checkpoint.
#[derive(Args)]
#[command(after_help = "Examples:
  bonafide-export inspect stage2_best.pt
  bonafide-export inspect model.onnx --tensors
  bonafide-export inspect model.onnx --json | jq .parameters")]
pub(crate) struct Arguments {
    /// The checkpoint, as a file, folder or `hf://OWNER/NAME[@REVISION][/FILE]`, or the ONNX file
    file: PathBuf,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// List every tensor
    #[arg(long, conflicts_with = "json")]
    tensors: bool,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let bar = byte_bar();
    let found = crate::locate(arguments.file, &bar).and_then(|file| inspect(file, &mut |_| {}));
    bar.finish_and_clear();
    let found = match found {
        Ok(found) => found,
        Err(error) => return fail(&error, 1),
    };
    if arguments.json {
        return match print_json(&found) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        };
    }
    print(&describe(&found, arguments.tensors));
    ExitCode::SUCCESS
}

fn describe(found: &Inspection, tensors: bool) -> String {
    let mut facts: Vec<[String; 2]> = Vec::new();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push([name.to_owned(), value]);
        }
    };
    for file in &found.files {
        fact("file", format!("{}, {}", file.name, bytes(file.bytes)));
        fact("sha256", file.sha256.clone());
    }
    fact("format", found.format.clone().unwrap_or_default());
    fact(
        "layout",
        found.layout.map_or_else(String::new, |layout| layout.to_string()),
    );
    if let Some(onnx) = &found.onnx {
        let opsets = onnx
            .opsets
            .iter()
            .map(|(domain, version)| format!("{domain} {version}"));
        fact("opset", opsets.collect::<Vec<_>>().join(", "));
        fact("written by", onnx.producer.clone());
        fact("input", onnx.inputs.iter().map(port).collect::<Vec<_>>().join(", "));
        fact("output", onnx.outputs.iter().map(port).collect::<Vec<_>>().join(", "));
    }
    if let Some(config) = &found.lite_config {
        let networks = config.networks().map(|(_, config)| {
            let (bins, frames, blocks) = (config.bins(), config.frames(), config.blocks().len());
            format!("{bins} bins, {frames} frames, {blocks} residual blocks")
        });
        let networks: Vec<String> = networks.collect();
        fact(
            "network",
            format!("{}, {}", config.model_type, networks.join("; beside it ")),
        );
    }
    if let Some(config) = &found.config {
        fact(
            "network",
            format!(
                "{}, {} convolutions, {} layers of {}, {} heads, {} inner",
                config.model_type,
                config.conv_dim.len(),
                config.num_hidden_layers,
                config.hidden_size,
                config.num_attention_heads,
                config.intermediate_size
            ),
        );
    }
    fact("precision", found.precision.clone().unwrap_or_default());
    fact("labels", found.labels.join(", "));
    fact("normalisation", found.normalization.clone().unwrap_or_default());
    fact("parameters", grouped(found.parameters));
    for problem in &found.problems {
        fact("problem", printable(problem));
    }
    let rows: Vec<Vec<String>> = facts.into_iter().map(Vec::from).collect();
    let mut text = table(&[Side::Left, Side::Left], &rows);

    text += "\n";
    text += &sizes("layer", &found.layers, true);
    text += "\n";
    text += &sizes("type", &found.dtypes, false);
    if let Some(onnx) = &found.onnx {
        let rows = onnx
            .operators
            .iter()
            .map(|(name, count)| vec![printable(name), grouped(*count as u64)]);
        text += &titled(["operator", "nodes"], &[Side::Left, Side::Right], rows);
    }
    if !found.metadata.is_empty() {
        let plain = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let rows = found
            .metadata
            .iter()
            .map(|(key, value)| vec![printable(key), printable(&plain(value))]);
        text += &titled(["metadata", ""], &[Side::Left, Side::Left], rows);
    }
    if tensors {
        let rows = found.tensors.iter().map(|tensor| {
            let shape = format!("{:?}", tensor.shape);
            vec![
                printable(&tensor.name),
                tensor.dtype.clone(),
                shape,
                bytes(tensor.bytes),
            ]
        });
        let sides = [Side::Left, Side::Left, Side::Left, Side::Right];
        text += &titled(["tensor", "type", "shape", "size"], &sides, rows);
    }
    text
}

/// A table after an empty line.
fn titled<const N: usize>(titles: [&str; N], sides: &[Side; N], rows: impl Iterator<Item = Vec<String>>) -> String {
    let titles = titles.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = [titles].into_iter().chain(rows).collect();
    format!("\n{}", table(sides, &rows))
}

fn sizes(title: &str, sizes: &[Size], total: bool) -> String {
    let header = [title, "tensors", "parameters", "size"].map(str::to_owned).to_vec();
    let row = |size: &Size| {
        let tensors = grouped(size.tensors as u64);
        vec![size.name.clone(), tensors, grouped(size.parameters), bytes(size.bytes)]
    };
    let mut rows = vec![header];
    rows.extend(sizes.iter().map(row));
    if total {
        rows.push(vec![
            "total".to_owned(),
            grouped(sizes.iter().map(|size| size.tensors as u64).sum()),
            grouped(sizes.iter().fold(0, |sum, size| size.parameters.saturating_add(sum))),
            bytes(sizes.iter().fold(0, |sum, size| size.bytes.saturating_add(sum))),
        ]);
    }
    table(&[Side::Left, Side::Right, Side::Right, Side::Right], &rows)
}

fn port(port: &Port) -> String {
    let axis = |size: &serde_json::Value| size.as_str().map_or_else(|| size.to_string(), str::to_owned);
    let shape: Vec<String> = port.shape.iter().map(axis).collect();
    printable(&format!("{}: {} [{}]", port.name, port.dtype, shape.join(", ")))
}

/// What a file says could move a terminal's cursor; what is printed can't.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
