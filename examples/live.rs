//! Scores live audio from a pipe, a line for each window.
//!
//! ```sh
//! arecord -t raw -f S16_LE -r 16000 | cargo run --release --example live
//! ffmpeg -i call.mp3 -f wav - | cargo run --release --example live -- --model model.onnx --alert 0.8 --smooth 3
//! ```
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use bonafide::{AudioReader, Detector, Error, Score, WindowScore};
use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Scores live audio from standard input, a line for each window: WAV, or raw samples, as `arecord`, `ffmpeg` and `sox`
/// write them.
///
/// It ends with the input, or on Ctrl-C, and then prints the score of all that was heard.
#[derive(Parser)]
#[command(name = "live", version)]
struct Arguments {
    /// The model, as made by `bonafide-export` [default: the small one that comes with the crate]
    #[arg(long, value_name = "M.onnx")]
    model: Option<PathBuf>,
    /// What comes in. `auto` is WAV where it begins like one, and else s16
    #[arg(long, value_enum, default_value_t = Input::Auto)]
    input: Input,
    /// Sample rate of raw samples, in Hz
    #[arg(long, value_name = "HZ", default_value_t = 16_000)]
    rate: u32,
    /// Channels of raw samples
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=32))]
    channels: u16,
    /// Samples at 16 kHz from one window's start to the next one's [default: the model's own]
    #[arg(long, value_name = "SAMPLES")]
    hop: Option<usize>,
    /// Take the mean of the last N windows
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    smooth: u16,
    /// Raise an alert when the (smoothed) P(spoof) exceeds P, 0 to 1
    #[arg(long, value_name = "P", value_parser = probability)]
    alert: Option<f32>,
    /// End the alert only when it falls more than H below P
    #[arg(long, value_name = "H", default_value_t = 0.1, value_parser = probability)]
    hysteresis: f32,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Input {
    Auto,
    Wav,
    /// 16-bit integers, little-endian
    S16,
    /// 32-bit floats, little-endian
    F32,
}

fn probability(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprintln!("error: cannot write the results: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Scoring(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Scoring(Error),
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Scoring(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// What the reading thread, or Ctrl-C, has to tell.
enum Event {
    /// The rate and the channels of what follows.
    Format(u32, u16),
    Samples(Vec<f32>),
    End,
    Failed(Error),
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut builder = Detector::builder();
    if let Some(model) = &arguments.model {
        builder = builder.model(model);
    }
    if let Some(hop) = arguments.hop {
        builder = builder.hop(hop);
    }
    let detector = builder.build()?;
    eprintln!("runtime: {}", detector.info());

    let events = listen(arguments);
    let mut out = io::stdout().lock();
    let mut stream = detector.stream();
    let mut alarm = Alarm::new(arguments);
    loop {
        match events.recv().unwrap_or(Event::End) {
            Event::Format(rate, channels) => stream = detector.stream_of(rate, channels)?,
            Event::Samples(samples) => {
                for window in stream.push(&samples)? {
                    let (smoothed, alert) = alarm.hear(window.spoof_probability);
                    write_window(&mut out, arguments.json, window, smoothed, alert)?;
                }
            }
            Event::End => break,
            Event::Failed(error) => return Err(error.into()),
        }
    }
    let score = stream.finish()?;
    write_clip(&mut out, arguments.json, &score)?;
    Ok(())
}

/// Reads standard input on a thread of its own, so that Ctrl-C is heard while none comes.
fn listen(arguments: &Arguments) -> Receiver<Event> {
    // As many blocks may wait: when the model falls behind, so does the pipe.
    let (events, heard) = mpsc::sync_channel(256);
    let interrupted = events.clone();
    if let Err(error) = ctrlc::set_handler(move || drop(interrupted.send(Event::End))) {
        eprintln!("warning: Ctrl-C will end without a score: {error}");
    }
    let (input, rate, channels) = (arguments.input, arguments.rate, arguments.channels);
    thread::spawn(move || {
        let ended = match read(input, rate, channels, &events) {
            Ok(()) => Event::End,
            Err(error) => Event::Failed(error),
        };
        // Nobody listens any more after Ctrl-C.
        drop(events.send(ended));
    });
    heard
}

fn read(input: Input, rate: u32, channels: u16, events: &SyncSender<Event>) -> Result<(), Error> {
    let mut start = Vec::new();
    let mut stdin = io::stdin();
    let failed = |source| Error::Read {
        path: "standard input".into(),
        source,
    };
    stdin.by_ref().take(4).read_to_end(&mut start).map_err(failed)?;
    let float = match input {
        Input::Wav => None,
        Input::Auto if start == b"RIFF" => None,
        Input::Auto | Input::S16 => Some(false),
        Input::F32 => Some(true),
    };
    // Raw samples become a WAV of unknown length.
    let header = float.map_or_else(Vec::new, |float| wav_header(rate, channels, float));
    let whole = Cursor::new(header).chain(Cursor::new(start)).chain(stdin);
    let mut reader = AudioReader::from_pipe(whole)?;
    let sent = |event| events.send(event).is_ok();
    if !sent(Event::Format(reader.sample_rate(), reader.channels())) {
        return Ok(());
    }
    loop {
        let mut block = Vec::new();
        if !reader.next_block(&mut block)? || !sent(Event::Samples(block)) {
            return Ok(());
        }
    }
}

/// A WAV header that leaves the length open.
fn wav_header(rate: u32, channels: u16, float: bool) -> Vec<u8> {
    let (tag, bits): (u16, u16) = if float { (3, 32) } else { (1, 16) };
    let align = channels.wrapping_mul(bits / 8);
    let mut header = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0".to_vec();
    header.extend([tag, channels].map(u16::to_le_bytes).concat());
    header.extend(
        [rate, rate.wrapping_mul(u32::from(align))]
            .map(u32::to_le_bytes)
            .concat(),
    );
    header.extend([align, bits].map(u16::to_le_bytes).concat());
    header.extend(b"data\xFF\xFF\xFF\xFF");
    header
}

/// Smooths the windows' P(spoof), and says when it stands out.
struct Alarm {
    last: VecDeque<f32>,
    smooth: usize,
    above: Option<f32>,
    hysteresis: f32,
    raised: bool,
}

impl Alarm {
    fn new(arguments: &Arguments) -> Self {
        Self {
            last: VecDeque::new(),
            smooth: usize::from(arguments.smooth),
            above: arguments.alert,
            hysteresis: arguments.hysteresis,
            raised: false,
        }
    }

    /// The mean of the last windows, and whether the alert is on.
    fn hear(&mut self, spoof_probability: f32) -> (f32, Option<bool>) {
        if self.last.len() == self.smooth {
            self.last.pop_front();
        }
        self.last.push_back(spoof_probability);
        let mean = self.last.iter().sum::<f32>() / self.last.len() as f32;
        let alert = self.above.map(|above| {
            self.raised = mean > if self.raised { above - self.hysteresis } else { above };
            self.raised
        });
        (mean, alert)
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Window {
        start_seconds: f64,
        end_seconds: f64,
        spoof_probability: f32,
        llr: f32,
        smoothed: f32,
        #[serde(skip_serializing_if = "Option::is_none")]
        alert: Option<bool>,
    },
    Clip {
        label: &'a str,
        spoof_probability: f32,
        confidence: f32,
        llr: f32,
        threshold: f32,
        duration_seconds: f64,
        windows: usize,
        notes: Vec<String>,
    },
}

fn write_window(
    out: &mut impl Write,
    json: bool,
    window: &WindowScore,
    smoothed: f32,
    alert: Option<bool>,
) -> io::Result<()> {
    if json {
        let line = Line::Window {
            start_seconds: window.start_seconds,
            end_seconds: window.end_seconds,
            spoof_probability: window.spoof_probability,
            llr: window.llr,
            smoothed,
            alert,
        };
        serde_json::to_writer(&mut *out, &line)?;
    } else {
        write!(
            out,
            "{:>8.1} s  {:.4}  {smoothed:.4}  {}",
            window.end_seconds,
            window.spoof_probability,
            bar(smoothed)
        )?;
        if alert == Some(true) {
            write!(out, "  ALERT")?;
        }
    }
    writeln!(out)?;
    out.flush()
}

/// Twenty characters, filled in proportion.
fn bar(probability: f32) -> String {
    let filled = (probability * 20.0).round() as usize;
    format!("{:·<20}", "█".repeat(filled.min(20)))
}

fn write_clip(out: &mut impl Write, json: bool, score: &Score) -> io::Result<()> {
    let notes: Vec<String> = score.notes.iter().map(ToString::to_string).collect();
    if json {
        let line = Line::Clip {
            label: score.label.as_str(),
            spoof_probability: score.spoof_probability,
            confidence: score.confidence,
            llr: score.llr,
            threshold: score.threshold,
            duration_seconds: score.duration_seconds,
            windows: score.windows.len(),
            notes,
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)
    } else {
        write!(
            out,
            "{} with {:.1} %: P(spoof) {:.4} over {} windows, {:.1} s",
            score.label,
            100.0 * score.confidence,
            score.spoof_probability,
            score.windows.len(),
            score.duration_seconds
        )?;
        if !notes.is_empty() {
            write!(out, " ({})", notes.join(", "))?;
        }
        writeln!(out)
    }
}
