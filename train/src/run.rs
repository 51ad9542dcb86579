//! A training run from its settings to its best checkpoint.

use std::path::Path;
use std::time::Instant;

use bonafide::metrics::Trials;
use bonafide::{Label, Windowing};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::augment::{Augment, Pool, Recordings, generator};
use crate::cache::Cache;
use crate::checkpoint::{self, Start};
use crate::clips::{Clips, Reading, class};
use crate::frozen::{self, Frozen};
use crate::log::{self, Epoch};
use crate::network::{CLASSES, Cut, Network, Pass, Weights};
use crate::parts::Parts;
use crate::recipe::{self, AdamW, Schedule};
use crate::settings::{Augmentation, Balance, Best, Settings, Stage, check};
use crate::source::{Source, Windows, batches, prefetched, purpose};
use crate::state::{self, Average, Progress};
use crate::step::{Sample, Stepper};
use crate::{Error, Result, curves, files, list};

/// Parameters that the reference's stages train of wav2vec2-base.
const STAGE_1_OF_BASE: usize = 1_538;
const STAGE_2_OF_BASE: usize = 14_178_818;
/// Those of the encoder's layer norm, which `frozen_norm` leaves out.
const ENCODER_NORM_OF_BASE: usize = 1_536;
/// The entry of a run's data that is of its frozen weights and its network's shape.
const NETWORK: &str = "the network to start from";
/// Windows in a batch when scoring.
const SCORING_BATCH: usize = 16;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Its epochs.
    pub log: Vec<Epoch>,
    /// The EER of the development set's windows in the best epoch, a fraction.
    pub best_eer: f64,
    /// How many parameters were trained.
    pub trained: usize,
    /// Clips that could not be used, of both lists.
    pub bad_clips: usize,
    /// What the frozen part ran on, if it was cached.
    pub runtime: Option<String>,
}

/// Trains, or goes on with a run that was interrupted: the folder `out` of the settings then holds its state.
///
/// The folder gets `best/` (the checkpoint of the best epoch on the development set), `log.jsonl`, `curves.svg`,
/// `state.safetensors` and, in stages 1 and 2, `cache/`. An interrupted run that goes on comes to the same bytes in
/// `best/` as one that was not interrupted.
///
/// # Errors
///
/// [`Error`] says which setting, list, clip, checkpoint or file is at fault. What was written before stays usable.
pub fn train(settings: &Settings) -> Result<Report> {
    settings.validate()?;
    files::create_folder(&settings.out)?;
    let start = start(settings)?;
    let mut run = Run::new(settings, start)?;
    run.go()
}

/// The weights to start from, with the right ones set to be trained.
fn start(settings: &Settings) -> Result<Start> {
    let mut rng = generator(settings.seed, &[purpose::START]);
    let mut start = match (&settings.from, &settings.config) {
        (Some(from), None) => Start::read(from, &mut rng)?,
        (None, Some(config)) => Start::new(config, &mut rng)?,
        (from, _) => {
            return Err(Error::Setting {
                setting: "--from and --config",
                expected: "one of them: a checkpoint to start from, or the shape of a new network",
                found: if from.is_some() { "both" } else { "neither" }.to_owned(),
            });
        }
    };
    let expected = match (&start.network, settings.stage) {
        (_, Stage::Scratch) => {
            start.weights.train(|_| true)?;
            return Ok(start);
        }
        (Network::Wav2vec2(config), Stage::Stage1) => {
            start.weights.train(Network::is_head)?;
            is_base(config).then_some(STAGE_1_OF_BASE)
        }
        (Network::Wav2vec2(config), Stage::Stage2) => {
            let keeps_norm = settings.frozen_norm && !config.do_stable_layer_norm;
            start
                .weights
                .train(|name| Network::is_top(config, name) && !(keeps_norm && Network::is_encoder_norm(name)))?;
            let left_out = if keeps_norm { ENCODER_NORM_OF_BASE } else { 0 };
            is_base(config).then_some(STAGE_2_OF_BASE - left_out)
        }
        (Network::Lite(_), Stage::Stage1 | Stage::Stage2) => {
            return Err(Error::Setting {
                setting: "the stage",
                expected: "scratch, for the small network",
                found: format!("{:?}", settings.stage),
            });
        }
    };
    let found = start.weights.trained_count();
    match expected {
        Some(expected) if expected != found => Err(Error::TrainableCount { expected, found }),
        _ => Ok(start),
    }
}

fn is_base(config: &bonafide_export::Config) -> bool {
    let base = bonafide_export::Config::default();
    config.hidden_size == base.hidden_size
        && config.num_hidden_layers == base.num_hidden_layers
        && config.intermediate_size == base.intermediate_size
}

/// Where the trained part begins.
fn cut(settings: &Settings, network: &Network) -> Cut {
    match (settings.stage, network) {
        (Stage::Stage1, Network::Wav2vec2(_)) if settings.cache => Cut::Pooled,
        (Stage::Stage2, Network::Wav2vec2(config)) if settings.cache => {
            // The norm's gradient comes through all layers, unless it follows them.
            if settings.frozen_norm || config.do_stable_layer_norm {
                Cut::Layers(config.num_hidden_layers.saturating_sub(Network::TOP_LAYERS))
            } else {
                Cut::Positions
            }
        }
        _ => Cut::Waveform,
    }
}

struct Run<'a> {
    settings: &'a Settings,
    start: Start,
    cut: Cut,
    train: Clips,
    dev: Clips,
    augment: Augment,
    frozen: Option<Frozen>,
    /// The running mean of the trained weights.
    average: Average,
    optimiser: AdamW,
    progress: Progress,
    /// Digests of what is trained on and from, by what they are of.
    data: Value,
    class_weights: [f32; CLASSES],
    /// What a window of the training list weighs beside the others of its label.
    window_weights: Vec<f32>,
    /// Which windows of the training list are of speakers with one label only, if that matters.
    lone: Vec<bool>,
    parts: Parts,
    /// Steps of this process.
    steps: usize,
}

/// A bar for one thing, or none if it would not be seen.
fn bar(settings: &Settings, length: usize, what: &str) -> ProgressBar {
    if settings.quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix:>12} {bar:30} {pos}/{len} {per_sec:>12}, {eta} left  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64)
        .with_style(style)
        .with_prefix(what.to_owned())
}

fn note(settings: &Settings, text: &str) {
    if !settings.quiet {
        eprintln!("{text}");
    }
}

fn read_clips(settings: &Settings, path: &Path, audio: Option<&Path>, window: usize) -> Result<Clips> {
    let clips = list::read(path, audio)?;
    let bar = bar(settings, clips.len(), "reading");
    let setting = |found: usize| Error::Setting {
        setting: "window_samples",
        expected: "2 or more",
        found: found.to_string(),
    };
    let length = window.try_into().map_err(|_| setting(window))?;
    let hop = (window / 2).try_into().map_err(|_| setting(window))?;
    let how = Reading {
        max_bad: settings.max_bad,
        memory: settings.memory / 2,
    };
    let clips = Clips::read(path, clips, Windowing::new(length, hop), how, &|| bar.inc(1))?;
    bar.finish_and_clear();
    for (_, fault) in &clips.bad {
        note(settings, &format!("skipped: {fault}"));
    }
    let [bonafide, spoof] = clips.counts();
    let (windows, bad) = (clips.windows(), clips.bad.len());
    note(
        settings,
        &format!(
            "{}: {bonafide} bona fide, {spoof} spoof, {windows} windows, {bad} unusable",
            path.display()
        ),
    );
    Ok(clips)
}

fn augment(settings: &Settings) -> Result<Augment> {
    let pool = |folder: &Option<std::path::PathBuf>| folder.as_deref().map(Pool::read).transpose();
    Ok(match &settings.augmentation {
        Augmentation::None => Augment::None,
        Augmentation::WhiteNoise => Augment::WhiteNoise,
        Augmentation::Strong { noise, babble, rooms } => Augment::Strong(Recordings {
            noise: pool(noise)?.unwrap_or_default(),
            babble: pool(babble)?.unwrap_or_default(),
            rooms: pool(rooms)?.unwrap_or_default(),
            calls: settings.calls,
        }),
    })
}

impl<'a> Run<'a> {
    fn new(settings: &'a Settings, mut start: Start) -> Result<Self> {
        for name in &start.drawn {
            note(settings, &format!("{name} is not in the checkpoint, and begins anew"));
        }
        let resumed = state::read(settings, &mut start.weights)?;
        let window = start.network.window_samples();
        if let (Some(seconds), Some(crop)) = (settings.crop, settings.crop_samples()) {
            check("--crop", "no more than the network's window", &seconds, crop <= window)?;
        }
        let train = read_clips(settings, &settings.train, settings.train_audio.as_deref(), window)?;
        let dev = read_clips(settings, &settings.dev, settings.dev_audio.as_deref(), window)?;
        let augment = augment(settings)?;
        let data = json!({
            "what --train names": train.digest(),
            "what --dev names": dev.digest(),
            "the recordings to mix in": augment.digest(),
            NETWORK: [&start.config.to_string(), &start.weights.frozen_digest()?],
        });
        let (progress, optimiser, average) = match resumed {
            Some(resumed) => resumed.on(&settings.out, &data)?,
            None => {
                let average = if settings.average > 0.0 {
                    start.weights.moving()?
                } else {
                    Average::new()
                };
                (Progress::default(), AdamW::new(settings.weight_decay), average)
            }
        };
        if progress.epoch + progress.step > 0 {
            note(
                settings,
                &format!("going on after {} epochs and {} steps", progress.epoch, progress.step),
            );
        }
        note(
            settings,
            &format!("{} parameters are trained", start.weights.trained_count()),
        );
        let (class_weights, window_weights) = match settings.balance {
            Balance::Labels => (recipe::class_weights(train.counts()), vec![1.0; train.windows()]),
            Balance::Speakers => {
                let weights = train.speaker_weights(settings.lone_speakers.unwrap_or(1.0));
                (recipe::even(train.totals(&weights)), weights)
            }
        };
        let lone = settings.lone_speakers.map(|_| train.lone_speakers());
        Ok(Self {
            lone: lone.unwrap_or_default(),
            cut: cut(settings, &start.network),
            augment,
            data,
            class_weights,
            window_weights,
            parts: Parts::new(settings.parts)?,
            settings,
            start,
            train,
            dev,
            frozen: None,
            average,
            optimiser,
            progress,
            steps: 0,
        })
    }

    fn go(&mut self) -> Result<Report> {
        while !self.progress.done {
            self.epoch()?;
        }
        Ok(Report {
            best_eer: self.best().map_or(f64::NAN, |epoch| epoch.dev_eer),
            trained: self.start.weights.trained_count(),
            bad_clips: self.train.bad.len() + self.dev.bad.len(),
            runtime: self.frozen.as_ref().map(|frozen| frozen.runtime.clone()),
            log: self.progress.log.clone(),
        })
    }

    /// The best epoch yet.
    fn best(&self) -> Option<&Epoch> {
        self.progress.log.iter().rfind(|epoch| epoch.best)
    }

    /// One epoch, or what is left of it, and its place in the log.
    fn epoch(&mut self) -> Result<()> {
        let epoch = self.progress.epoch;
        let began = Instant::now();
        let (trained_windows, learning_rate) = self.steps_of(epoch)?;
        let seconds = began.elapsed().as_secs_f64();
        let steps = self.progress.step.max(1) as f64;

        let scored = self.score()?;
        let decides = |eer, loss| match self.settings.best {
            Best::Eer => eer,
            Best::Loss => loss,
        };
        let best = self
            .best()
            .is_none_or(|best| decides(scored.eer, scored.loss) < decides(best.dev_eer, best.dev_loss));
        self.progress.log.push(Epoch {
            epoch: epoch + 1,
            train_loss: self.progress.loss_sum / steps,
            dev_loss: scored.loss,
            dev_eer: scored.eer,
            dev_clip_eer: scored.clip_eer,
            gradient_norm: self.progress.norm_sum / steps,
            learning_rate,
            best,
            seconds,
            windows_per_second: trained_windows as f64 / seconds.max(1e-9),
        });
        if best {
            self.progress.stale = 0;
            self.write_best(epoch + 1, &scored)?;
        } else {
            self.progress.stale += 1;
        }
        self.progress.epoch += 1;
        self.progress.step = 0;
        self.progress.loss_sum = 0.0;
        self.progress.norm_sum = 0.0;
        self.progress.done =
            self.progress.epoch >= self.settings.epochs || self.progress.stale >= self.settings.patience;
        self.save()?;
        log::write(&self.settings.out.join("log.jsonl"), &self.progress.log)?;
        curves::draw(&self.settings.out.join("curves.svg"), &self.progress.log)?;
        if let Some(line) = self.progress.log.last() {
            let (train, dev) = (line.train_loss, line.dev_loss);
            let (eer, clip_eer, speed) = (100.0 * line.dev_eer, 100.0 * line.dev_clip_eer, line.windows_per_second);
            let mark = if best { ", the best yet" } else { "" };
            note(
                self.settings,
                &format!(
                    "epoch {}: loss {train:.4}, dev loss {dev:.4}, dev EER {eer:.2} % of windows and {clip_eer:.2} % of \
                     clips, {speed:.1} windows/s{mark}",
                    line.epoch
                ),
            );
        }
        Ok(())
    }

    /// The steps of an epoch that are left. Returns the windows trained on and the last learning rate.
    fn steps_of(&mut self, epoch: usize) -> Result<(usize, f64)> {
        let settings = self.settings;
        let batches = batches(self.train.groups(), settings.batch, settings.seed, epoch);
        let schedule = match settings.warm_up {
            None => Schedule::Constant,
            Some(share) => {
                let steps = batches.len() * settings.epochs;
                let warm_up = (share * steps as f64) as usize;
                Schedule::Linear { steps, warm_up }
            }
        };
        let cached;
        let windows = Windows {
            clips: &self.train,
            augment: &self.augment,
            seed: settings.seed,
            crop: settings.crop_samples(),
            lone: &self.lone,
        };
        let (source, of_epoch) = if self.cut == Cut::Waveform {
            (Source::Windows(windows), epoch)
        } else {
            let variants = if matches!(self.augment, Augment::None) {
                1
            } else {
                settings.variants
            };
            let variant = epoch % variants;
            cached = cache(
                settings,
                &self.start,
                &self.data[NETWORK],
                &mut self.frozen,
                &windows,
                "train",
                variant,
            )?;
            (Source::Cached(cached), epoch)
        };

        let done = self.progress.step;
        let bar = bar(
            settings,
            batches.len(),
            &format!("epoch {}/{}", epoch + 1, settings.epochs),
        );
        bar.set_position(done as u64);
        bar.reset_eta();
        let mut trained = 0;
        let total = batches.len();
        let rate = |step: usize| settings.learning_rate * schedule.factor(epoch * total + step);
        let mut stepper = Stepper {
            settings,
            start: &self.start,
            cut: self.cut,
            class_weights: self.class_weights,
            optimiser: &mut self.optimiser,
            average: &mut self.average,
            parts: &self.parts,
        };
        let last_eer = self
            .progress
            .log
            .last()
            .map(|line| format!(", EER {:.2} %", 100.0 * line.dev_eer));
        prefetched(&source, of_epoch, &batches[done..], |index, windows, rows| {
            let step = done + index;
            let sample = |&window: &usize| Sample {
                label: self.train.label(window),
                weight: self.window_weights[window],
            };
            let samples: Vec<Sample> = windows.iter().map(sample).collect();
            let (loss, norm) = stepper.step(epoch, step, &rows.into_tensor()?, &samples, rate(step))?;
            trained += windows.len();
            self.steps += 1;
            self.progress.step = step + 1;
            self.progress.loss_sum += loss;
            self.progress.norm_sum += norm;
            let mean = self.progress.loss_sum / self.progress.step as f64;
            bar.set_message(format!("loss {mean:.4}{}", last_eer.as_deref().unwrap_or_default()));
            bar.inc(1);
            let stop = settings.stop_after.is_some_and(|steps| self.steps >= steps);
            if stop || (self.progress.step.is_multiple_of(settings.save_every) && self.progress.step < total) {
                self.progress.optimiser_steps = stepper.optimiser.steps();
                state::write(
                    settings,
                    &self.data,
                    &self.progress,
                    &self.start.weights,
                    stepper.optimiser,
                    stepper.average,
                )?;
            }
            if stop { Err(Error::Stopped(self.steps)) } else { Ok(()) }
        })?;
        bar.finish_and_clear();
        Ok((trained, rate(total.saturating_sub(1))))
    }

    fn save(&mut self) -> Result<()> {
        self.progress.optimiser_steps = self.optimiser.steps();
        state::write(
            self.settings,
            &self.data,
            &self.progress,
            &self.start.weights,
            &self.optimiser,
            &self.average,
        )
    }

    /// The weights that are scored and kept: their running mean, or themselves.
    fn kept(&self) -> Result<Option<Weights>> {
        if self.average.is_empty() {
            return Ok(None);
        }
        let mut numbers: Average = self
            .start
            .weights
            .numbers()?
            .into_iter()
            .map(|(name, (_, x))| (name, x))
            .collect();
        numbers.extend(self.average.clone());
        Weights::from_numbers(&self.start.network.parameters(), numbers).map(Some)
    }

    fn write_best(&self, epoch: usize, scored: &Scored) -> Result<()> {
        let training = json!({
            "epoch": epoch,
            "dev_eer": scored.eer,
            "dev_clip_eer": scored.clip_eer,
            "dev_loss": scored.loss,
            "settings": self.settings,
            "class_weights": self.class_weights,
            "windows": {"train": self.train.windows(), "dev": self.dev.windows()},
            "clips": {"train": self.train.counts(), "dev": self.dev.counts()},
            "parameters_trained": self.start.weights.trained_count(),
            "trainer_version": env!("CARGO_PKG_VERSION"),
        });
        let kept = self.kept()?;
        let weights = kept.as_ref().unwrap_or(&self.start.weights);
        checkpoint::write(&self.settings.out.join("best"), &self.start.config, weights, &training)
    }

    /// Scores the development set.
    fn score(&mut self) -> Result<Scored> {
        let settings = self.settings;
        let kept = self.kept()?;
        let weights = kept.as_ref().unwrap_or(&self.start.weights);
        let none = Augment::None;
        let windows = Windows {
            clips: &self.dev,
            augment: &none,
            seed: settings.seed,
            crop: None,
            lone: &[],
        };
        let source = if self.cut == Cut::Waveform {
            Source::Windows(windows)
        } else {
            Source::Cached(cache(
                settings,
                &self.start,
                &self.data[NETWORK],
                &mut self.frozen,
                &windows,
                "dev",
                0,
            )?)
        };
        let order: Vec<usize> = (0..self.dev.windows()).collect();
        let batches: Vec<Vec<usize>> = order.chunks(SCORING_BATCH).map(<[usize]>::to_vec).collect();
        let bar = bar(settings, batches.len(), "scoring");
        let mut trials = Scores::default();
        prefetched(&source, 0, &batches, |_, windows, rows| {
            let batch = rows.into_tensor()?;
            let logits = self.parts.each(windows, |_, first, part| {
                let rows = batch.narrow(0, first, part.len())?;
                let logits = self.start.network.logits(&Pass::scoring(weights), &rows, self.cut)?;
                Ok(logits.to_vec2::<f32>()?)
            })?;
            for (&window, logits) in windows.iter().zip(logits.concat()) {
                let llr = f64::from(logits[0]) - f64::from(logits[1]);
                let (epoch, step) = (self.progress.epoch + 1, self.progress.step);
                recipe::finite("a score of the development set", llr, epoch, step)?;
                trials.push(&self.dev, window, llr, self.class_weights);
            }
            bar.inc(1);
            Ok(())
        })?;
        bar.finish_and_clear();
        trials.finish()
    }
}

/// The cached output of the frozen part, which `digest` is of, for the windows of a list, made if need be.
fn cache(
    settings: &Settings,
    start: &Start,
    digest: &Value,
    frozen: &mut Option<Frozen>,
    windows: &Windows<'_>,
    list: &str,
    variant: usize,
) -> Result<Cache> {
    let Network::Wav2vec2(config) = &start.network else {
        return Err(Error::Setting {
            setting: "the cache",
            expected: "a wav2vec2 network",
            found: "the small network, which is trained as a whole".to_owned(),
        });
    };
    let (cut, folder) = (cut(settings, &start.network), settings.out.join("cache"));
    let key = json!({
        "cut": format!("{cut:?}"),
        "clips": windows.clips.digest(),
        "augmentation": windows.augment.digest(),
        "seed": settings.seed,
        "variant": variant,
        "network": digest,
    });
    let shape = frozen::shape(config, cut, start.network.window_samples());
    let bar = bar(settings, windows.clips.windows(), &format!("caching {list}"));
    let row = |window: usize| {
        let loaded = match frozen {
            Some(loaded) => loaded,
            None => {
                let scratch = tempfile::tempdir_in(&settings.out).map_err(Error::write(&settings.out))?;
                checkpoint::write(scratch.path(), &start.config, &start.weights, &json!({}))?;
                let loaded = Frozen::load(scratch.path(), config, cut, scratch.path())?;
                note(settings, &format!("the frozen part runs on {}", loaded.runtime));
                frozen.insert(loaded)
            }
        };
        bar.inc(1);
        loaded.run(&windows.window(variant, window)?)
    };
    let cache = Cache::open(
        &folder.join(format!("{list}-{variant}")),
        &key,
        windows.clips.windows(),
        &shape,
        row,
    )?;
    bar.finish_and_clear();
    Ok(cache)
}

/// What the development set came to.
struct Scored {
    loss: f64,
    eer: f64,
    clip_eer: f64,
}

/// Scores by label.
#[derive(Default)]
struct Scores {
    windows: [Vec<f64>; CLASSES],
    /// By clip: its label, the sum of its windows' scores, and their count.
    clips: std::collections::BTreeMap<usize, (Label, f64, usize)>,
    loss: f64,
    weight: f64,
}

impl Scores {
    fn push(&mut self, clips: &Clips, window: usize, llr: f64, class_weights: [f32; CLASSES]) {
        let label = clips.label(window);
        self.windows[class(label)].push(llr);
        let clip = self
            .clips
            .entry(clips.window_at(window).clip)
            .or_insert((label, 0.0, 0));
        clip.1 += llr;
        clip.2 += 1;
        // −log of the logistic function of the margin, without overflow.
        let margin = if label == Label::Bonafide { llr } else { -llr };
        let loss = (-margin.abs()).exp().ln_1p() + (-margin).max(0.0);
        let weight = f64::from(class_weights[class(label)]);
        self.loss += weight * loss;
        self.weight += weight;
    }

    fn finish(self) -> Result<Scored> {
        let mut of_clips: [Vec<f64>; CLASSES] = Default::default();
        for (label, sum, count) in self.clips.into_values() {
            of_clips[class(label)].push(sum / count as f64);
        }
        let eer = |[bonafide, spoof]: &[Vec<f64>; CLASSES]| -> Result<f64> {
            Ok(Trials::new(bonafide, spoof)?.eer_asvspoof().rate)
        };
        Ok(Scored {
            loss: self.loss / self.weight,
            eer: eer(&self.windows)?,
            clip_eer: eer(&of_clips)?,
        })
    }
}
