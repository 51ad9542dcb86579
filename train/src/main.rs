//! `bonafide-train stage1|stage2|scratch|average|join|narrow`: the command-line face of the library.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use bonafide_train::{Augmentation, Balance, Best, Report, Settings, Stage, average, join, narrow, train};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Trains an anti-spoofing network on the processor, without Python.
///
/// A list is ASVspoof 2019 LA's protocol, or a TSV whose first line names the columns file and label (bonafide or spoof),
/// and perhaps source and speaker. The folder --out gets best/, which bonafide-export turns into a model, log.jsonl and
/// curves.svg. Run the same command again to go on after an interruption.
#[derive(Parser)]
#[command(name = "bonafide-train", version, after_long_help = EXAMPLES, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  The published model's recipe, from Hugging Face's facebook/wav2vec2-base in the folder wav2vec2-base:
    bonafide-train stage1 --train LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt \\
        --dev LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.dev.trl.txt --from wav2vec2-base --out runs/stage1
    bonafide-train stage2 --train ... --dev ... --from runs/stage1/best --out runs/stage2
    bonafide-export runs/stage2/best model.onnx
  A small network from nothing, with noise and rooms of one's own:
    bonafide-train scratch --train train.tsv --dev dev.tsv --config lite.json --noise noise --rooms rooms --out runs/lite";

#[derive(Subcommand)]
enum Command {
    /// Trains the head of a wav2vec2 backbone: 1,538 parameters of base
    Stage1(Common),
    /// Trains the top two transformer layers, the encoder's layer norm and the head: 14,178,818 parameters of base
    Stage2(Common),
    /// Trains every layer of a network: wav2vec2 in any shape, or the small spectral network
    Scratch(Common),
    /// Makes one checkpoint of two whose second was trained on from the first: a mean of their weights
    Average(Average),
    /// Joins small networks that were trained apart into one checkpoint, whose logits are the mean of theirs
    Join(Join),
    /// Leaves out of a small network what hears above a frequency, as a beginning for one that hears no more than that
    Narrow(Narrow),
}

#[derive(Args)]
struct Average {
    /// The checkpoint that a run started from
    #[arg(value_name = "FIRST")]
    first: PathBuf,
    /// The run's best/
    #[arg(value_name = "SECOND")]
    second: PathBuf,
    /// What the second weighs, between 0 and 1; the first weighs the rest
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    weight: f64,
    /// The folder to write the averaged checkpoint to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args)]
struct Join {
    /// Checkpoints of small networks, such as the best/ of two runs
    #[arg(required = true, num_args = 2.., value_name = "CHECKPOINT")]
    checkpoints: Vec<PathBuf>,
    /// The folder to write the joined checkpoint to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args)]
struct Narrow {
    /// The checkpoint of a small network, such as the best/ of a run
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,
    /// The highest frequency that is left: 4000 for telephones
    #[arg(long, value_name = "HZ")]
    highest_hz: u32,
    /// The folder to write the narrow checkpoint to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args)]
struct Common {
    /// The training list
    #[arg(long, value_name = "LIST")]
    train: PathBuf,
    /// The development list, which decides which epoch is the best
    #[arg(long, value_name = "LIST")]
    dev: PathBuf,
    /// The folder of the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The training list's audio [default: the list's folder, or where ASVspoof's archive has it]
    #[arg(long, value_name = "DIR")]
    train_audio: Option<PathBuf>,
    /// The development list's audio, likewise
    #[arg(long, value_name = "DIR")]
    dev_audio: Option<PathBuf>,
    /// The checkpoint to start from: Hugging Face's folder of a wav2vec2, a run's best/, or the original's .pt
    #[arg(long, value_name = "CHECKPOINT")]
    from: Option<PathBuf>,
    /// The shape of a new network [scratch]: wav2vec2's config.json, or one with `model_type` bonafide-lite
    #[arg(long, value_name = "config.json")]
    config: Option<PathBuf>,
    /// Epochs at most [default: 5 in stage 1, 10 in stage 2, 20 from scratch]
    #[arg(long)]
    epochs: Option<usize>,
    /// Windows in a step [default: 32, in stage 2 16]
    #[arg(long)]
    batch: Option<usize>,
    /// The highest learning rate [default: 1e-3, in stage 2 1e-5]
    #[arg(long)]
    learning_rate: Option<f64>,
    /// The share of steps over which the learning rate rises, before it falls to 0; `none` keeps it the same [default:
    /// none in stage 1, 0.1 in stage 2, 0.05 from scratch]
    #[arg(long, value_name = "SHARE|none", value_parser = warm_up)]
    warm_up: Option<WarmUp>,
    /// AdamW's weight decay
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f64,
    /// What the best epoch has the least of, on the development list
    #[arg(long, value_name = "eer|loss", default_value = "eer")]
    best: Least,
    /// Ends the run after so many epochs without a better one [default: 3, from scratch 6]
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<usize>,
    /// Seed of everything that is drawn
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// What is done to training windows [default: none in stage 1, white-noise in stage 2, strong from scratch]
    #[arg(long)]
    augment: Option<Kind>,
    /// Recordings of noise and music for --augment strong
    #[arg(long, value_name = "DIR")]
    noise: Option<PathBuf>,
    /// Recordings of voices, of both labels, for --augment strong to make babble of
    #[arg(long, value_name = "DIR")]
    babble: Option<PathBuf>,
    /// Impulse responses of rooms for --augment strong
    #[arg(long, value_name = "DIR")]
    rooms: Option<PathBuf>,
    /// The share of windows that --augment strong makes calls of: a telephone, before some of them a room and noise
    #[arg(long, value_name = "SHARE", default_value_t = 0.25)]
    calls: f64,
    /// Seconds of each training window that are heard, from another place in every epoch: two take half the time of four
    #[arg(long, value_name = "SECONDS")]
    crop: Option<f32>,
    /// What weighs the same in the loss [default: labels, from scratch speakers]
    #[arg(long)]
    balance: Option<Even>,
    /// What a window weighs whose speaker has one label only, such as a voice of text to speech; three in four get
    /// a room or noise first, so that a lack of both does not tell the label [default: 1, and no room]
    #[arg(long, value_name = "WEIGHT")]
    lone_speakers: Option<f32>,
    /// Parts that a batch is split into, each worked on by threads and batch norms of its own [default: 1, from scratch 2]
    #[arg(long)]
    parts: Option<usize>,
    /// Most bands and frames of the small network's spectrogram that are masked [default: 30,20 from scratch]
    #[arg(long, value_name = "BANDS,FRAMES", value_parser = masks)]
    masks: Option<[usize; 2]>,
    /// How much probability the targets leave to both labels alike
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    label_smoothing: f32,
    /// Mixes windows in pairs by a Beta distribution with this α; 0 for not at all
    #[arg(long, value_name = "ALPHA", default_value_t = 0.0)]
    mixup: f32,
    /// Decay of the running mean of the weights that is scored and kept; 0 for the weights themselves [default: 0, from
    /// scratch 0.998]
    #[arg(long, value_name = "DECAY")]
    average: Option<f64>,
    /// Runs the whole network in each step, instead of keeping the frozen part's output on disk [stages 1 and 2]
    #[arg(long)]
    no_cache: bool,
    /// How many noisy variants of each window to keep; epoch e uses variant e modulo this [stage 2]
    #[arg(long, default_value_t = 2)]
    variants: usize,
    /// Leaves the encoder's layer norm as it is, so that only the top layers need to run in each epoch [stage 2]
    #[arg(long)]
    frozen_norm: bool,
    /// The share of clips that may be unusable
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    max_bad: f64,
    /// Memory for decoded clips, in GiB; what does not fit is decoded again in each epoch
    #[arg(long, value_name = "GIB", default_value_t = 6)]
    memory: usize,
    /// Steps after which the state is written, within an epoch too
    #[arg(long, value_name = "STEPS", default_value_t = 500)]
    save_every: usize,
    /// Stops after so many steps, as an interruption would
    #[arg(long, value_name = "STEPS")]
    stop_after: Option<usize>,
    /// Prints the result only
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Nothing
    None,
    /// White noise at 10 to 30 dB
    WhiteNoise,
    /// Speed, rooms, noise, distortion, band limits, codecs and gain, each by chance
    Strong,
}

#[derive(Clone, Copy, ValueEnum)]
enum Even {
    /// Both labels in all
    Labels,
    /// Both labels of each speaker too, so that a voice or its channel says nothing of the label
    Speakers,
}

#[derive(Clone, Copy, ValueEnum)]
enum Least {
    /// The equal error rate of windows
    Eer,
    /// The loss
    Loss,
}

#[derive(Clone, Copy)]
struct WarmUp(Option<f64>);

fn warm_up(text: &str) -> Result<WarmUp, String> {
    match text {
        "none" => Ok(WarmUp(None)),
        number => match number.parse() {
            Ok(share) => Ok(WarmUp(Some(share))),
            Err(_) => Err(format!("expected `none` or a number from 0 to 1, found `{number}`")),
        },
    }
}

fn masks(text: &str) -> Result<[usize; 2], String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    let numbers: Option<[usize; 2]> = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| format!("expected two numbers such as 30,20, found `{text}`"))
}

impl Common {
    fn settings(self, stage: Stage) -> Settings {
        let mut settings = Settings::new(stage, self.train, self.dev, self.out);
        settings.train_audio = self.train_audio;
        settings.dev_audio = self.dev_audio;
        settings.from = self.from;
        settings.config = self.config;
        settings.epochs = self.epochs.unwrap_or(settings.epochs);
        settings.batch = self.batch.unwrap_or(settings.batch);
        settings.learning_rate = self.learning_rate.unwrap_or(settings.learning_rate);
        settings.warm_up = self.warm_up.map_or(settings.warm_up, |WarmUp(share)| share);
        settings.weight_decay = self.weight_decay;
        settings.patience = self.patience.unwrap_or(settings.patience);
        settings.best = match self.best {
            Least::Eer => Best::Eer,
            Least::Loss => Best::Loss,
        };
        settings.seed = self.seed;
        let strong = Augmentation::Strong {
            noise: self.noise,
            babble: self.babble,
            rooms: self.rooms,
        };
        settings.augmentation = match self.augment {
            Some(Kind::None) => Augmentation::None,
            Some(Kind::WhiteNoise) => Augmentation::WhiteNoise,
            Some(Kind::Strong) => strong,
            None if stage == Stage::Scratch => strong,
            None => settings.augmentation,
        };
        settings.balance = match self.balance {
            Some(Even::Labels) => Balance::Labels,
            Some(Even::Speakers) => Balance::Speakers,
            None => settings.balance,
        };
        settings.lone_speakers = self.lone_speakers;
        settings.calls = self.calls;
        settings.crop = self.crop;
        settings.parts = self.parts.unwrap_or(settings.parts);
        settings.masks = self.masks.unwrap_or(settings.masks);
        settings.label_smoothing = self.label_smoothing;
        settings.mixup = self.mixup;
        settings.average = self.average.unwrap_or(settings.average);
        settings.cache = settings.cache && !self.no_cache;
        settings.variants = self.variants;
        settings.frozen_norm = self.frozen_norm;
        settings.max_bad = self.max_bad;
        settings.memory = self.memory.saturating_mul(1 << 30);
        settings.save_every = self.save_every;
        settings.stop_after = self.stop_after;
        settings.quiet = self.quiet;
        settings
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Stage1(common) => run(&common.settings(Stage::Stage1)),
        Command::Stage2(common) => run(&common.settings(Stage::Stage2)),
        Command::Scratch(common) => run(&common.settings(Stage::Scratch)),
        Command::Average(two) => {
            average(&two.first, &two.second, two.weight, &two.out).map(|()| next(&two.out.display().to_string()))
        }
        Command::Join(networks) => {
            join(&networks.checkpoints, &networks.out).map(|()| next(&networks.out.display().to_string()))
        }
        Command::Narrow(network) => narrow(&network.checkpoint, network.highest_hz, &network.out).map(|()| {
            let out = network.out.display();
            println!("next: cargo run --release -p bonafide-train -- scratch --from {out} ...");
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings) -> bonafide_train::Result<()> {
    let report = train(settings)?;
    print(&report, &settings.out.join("best").display().to_string());
    Ok(())
}

fn print(report: &Report, best: &str) {
    let (epochs, eer) = (report.log.len(), 100.0 * report.best_eer);
    println!(
        "{epochs} epochs, {} parameters trained, dev EER {eer:.2} % at best: {best}",
        report.trained
    );
    if report.bad_clips > 0 {
        println!("{} clips could not be used", report.bad_clips);
    }
    next(best);
}

fn next(checkpoint: &str) {
    println!("next: cargo run --release -p bonafide-export -- {checkpoint} model.onnx");
}
