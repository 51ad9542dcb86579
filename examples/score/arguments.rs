//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Scores audio files: was this voice made by a machine?
///
/// P(spoof) is the probability that it was. A file is called `spoof` when it exceeds the threshold, and `bonafide`
/// otherwise; where there is no speech to judge it is called `no speech`.
///
/// A file that is named is always scored. Of folders, and of what a pattern matches, only files that are called like
/// audio are (.wav, .flac, .mp3, .ogg, .m4a and the like); the others are counted as skipped. A file that is found twice
/// is scored once.
///
/// The exit code is 1 if any file could not be scored, and 2 for bad usage or if there is nothing to score.
#[derive(Parser)]
#[command(name = "score", version)]
pub(crate) struct Arguments {
    /// The model, as made by `bonafide-export` [default: the small one embedded in the crate]
    #[arg(long, value_name = "M.onnx")]
    pub(crate) model: Option<PathBuf>,
    /// Call a file spoof above this P(spoof), 0 to 1 [default: the model's own]
    #[arg(long, value_name = "T", value_parser = probability)]
    pub(crate) threshold: Option<f32>,
    /// Score so many files at once, each with memory of its own [default: the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// How to print the scores
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The order of the files; those that could not be scored come last [default: as given, folders by path]
    #[arg(long, value_name = "ORDER")]
    pub(crate) sort: Option<Order>,
    /// Write a page to read and to pass on, with a picture of each file
    ///
    /// It is a single file that needs nothing else, neither a network nor scripts.
    #[arg(long, value_name = "OUT.html")]
    pub(crate) report: Option<PathBuf>,
    /// Draw waveform, spectrogram and P(spoof) of a single file
    ///
    /// SVG is sharp at any size. PNG is 1600 pixels wide, for where SVG can't be shown.
    #[arg(long, value_name = "OUT.svg|OUT.png")]
    pub(crate) plot: Option<PathBuf>,
    /// Audio files of any rate and channel count (WAV, FLAC, MP3, Ogg Vorbis, M4A), folders, and patterns in quotes such
    /// as "calls/**/*.mp3"
    #[arg(value_name = "FILE|FOLDER|PATTERN", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
}

impl Arguments {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One object a line
    Json,
    /// With a header row
    Csv,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Order {
    /// By path
    Path,
    /// The most likely spoof first; without speech last
    Score,
    /// The longest first
    Duration,
}

fn probability(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}
