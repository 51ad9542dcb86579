//! What a run is to do.

use std::path::PathBuf;

use serde::Serialize;

use crate::augment::CALLS;
use crate::{Error, Result};

/// Which part of a network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The head.
    Stage1,
    /// The top two transformer layers, the encoder's layer norm and the head.
    Stage2,
    /// Everything.
    Scratch,
}

/// What is done to training windows, and the folders of recordings for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// Nothing.
    None,
    /// White noise at 10 to 30 dB.
    WhiteNoise,
    /// Everything that [`Augment::Strong`](crate::Augment::Strong) does. Folders that are not given are done without.
    Strong {
        /// Recordings of noise and music.
        noise: Option<PathBuf>,
        /// Recordings of voices.
        babble: Option<PathBuf>,
        /// Impulse responses.
        rooms: Option<PathBuf>,
    },
}

/// What weighs the same in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Both labels in all: the reference's class weights.
    Labels,
    /// Both labels of each speaker too, so that a voice, its microphone and its channel say nothing of the label. Who
    /// speaks in one label only weighs by windows, or as [`Settings::lone_speakers`] says.
    Speakers,
}

/// What the best epoch has the least of, on the development set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Best {
    /// The equal error rate of windows: the reference's choice.
    Eer,
    /// The loss, which a small set tells more finely: an equal error rate goes by the few windows about its threshold.
    Loss,
}

/// All that decides what a run comes to. [`Settings::new`] gives the recipe of a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Settings {
    /// Which part is trained.
    pub stage: Stage,
    /// The training list.
    pub train: PathBuf,
    /// Where its audio is, if not where the list's form has it.
    pub train_audio: Option<PathBuf>,
    /// The development list.
    pub dev: PathBuf,
    /// Where its audio is, likewise.
    pub dev_audio: Option<PathBuf>,
    /// The folder of the run.
    #[serde(skip)]
    pub out: PathBuf,
    /// The checkpoint to start from; `None` for new weights.
    pub from: Option<PathBuf>,
    /// The shape of new weights.
    pub config: Option<PathBuf>,
    /// Epochs, from 1.
    pub epochs: usize,
    /// Windows in a step, from 1.
    pub batch: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The share of steps over which the learning rate rises before it falls to 0; `None` keeps it the same.
    pub warm_up: Option<f64>,
    /// AdamW's weight decay.
    pub weight_decay: f64,
    /// The norm that gradients are clipped to.
    pub clip: f64,
    /// What decides which epoch is the best.
    pub best: Best,
    /// Epochs without a better one after which the run ends.
    pub patience: usize,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// What is done to training windows.
    pub augmentation: Augmentation,
    /// The share of windows that the strong augmentation makes calls of.
    pub calls: f64,
    /// Seconds of each training window that are heard, from another place in every epoch; `None` for all of it.
    pub crop: Option<f32>,
    /// What weighs the same in the loss.
    pub balance: Balance,
    /// What a window weighs whose speaker has one label only in the list, as voices of text to speech have. Three in
    /// four such windows get a room, noise or both before anything else, because nothing else keeps what they were recorded with
    /// from telling the label.
    /// `None` leaves them as others are, with weight 1.
    pub lone_speakers: Option<f32>,
    /// Parts that a batch is split into, from 1, each worked on by threads and batch norms of its own.
    pub parts: usize,
    /// How much probability goes from the label to the other, half of it at most.
    pub label_smoothing: f32,
    /// α of the Beta distribution that windows are mixed by in pairs; 0 for not at all.
    pub mixup: f32,
    /// Bands and frames of the spectrogram that are masked at most, in the small network; 0 for none.
    pub masks: [usize; 2],
    /// Decay of the running mean of the weights that is scored and kept; 0 for the weights themselves.
    pub average: f64,
    /// Whether the part that is not trained is run once per window, and its output kept on disk.
    pub cache: bool,
    /// How many augmented variants of each window are kept, from 1: epoch `e` uses variant `e` modulo this.
    pub variants: usize,
    /// Stage 2: leaves the encoder's layer norm as it is, where it lies below the frozen layers.
    pub frozen_norm: bool,
    /// The share of clips that may be unusable.
    pub max_bad: f64,
    /// Bytes of decoded samples to keep in memory.
    #[serde(skip)]
    pub memory: usize,
    /// Steps after which the state is written, within an epoch too.
    #[serde(skip)]
    pub save_every: usize,
    /// Stops after so many steps, as an interruption would.
    #[serde(skip)]
    pub stop_after: Option<usize>,
    /// Shows no progress bars.
    #[serde(skip)]
    pub quiet: bool,
}

impl Settings {
    /// The recipe of a stage: REFERENCE's for stages 1 and 2.
    #[must_use]
    pub fn new(stage: Stage, train: PathBuf, dev: PathBuf, out: PathBuf) -> Self {
        let reference = Self {
            stage,
            train,
            train_audio: None,
            dev,
            dev_audio: None,
            out,
            from: None,
            config: None,
            epochs: 5,
            batch: 32,
            learning_rate: 1e-3,
            warm_up: None,
            weight_decay: 0.01,
            clip: 1.0,
            best: Best::Eer,
            patience: 3,
            seed: 42,
            augmentation: Augmentation::None,
            calls: CALLS,
            crop: None,
            balance: Balance::Labels,
            lone_speakers: None,
            parts: 1,
            label_smoothing: 0.0,
            mixup: 0.0,
            masks: [0, 0],
            average: 0.0,
            cache: true,
            variants: 2,
            frozen_norm: false,
            max_bad: 0.01,
            memory: 6 << 30,
            save_every: 500,
            stop_after: None,
            quiet: false,
        };
        match stage {
            Stage::Stage1 => reference,
            Stage::Stage2 => Self {
                epochs: 10,
                batch: 16,
                learning_rate: 1e-5,
                warm_up: Some(0.1),
                augmentation: Augmentation::WhiteNoise,
                ..reference
            },
            Stage::Scratch => Self {
                epochs: 20,
                batch: 32,
                warm_up: Some(0.05),
                patience: 6,
                augmentation: Augmentation::Strong {
                    noise: None,
                    babble: None,
                    rooms: None,
                },
                balance: Balance::Speakers,
                parts: 2,
                masks: [30, 20],
                average: 0.998,
                cache: false,
                ..reference
            },
        }
    }

    pub(crate) fn crop_samples(&self) -> Option<usize> {
        self.crop
            .map(|seconds| (seconds * bonafide::SAMPLE_RATE as f32) as usize)
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] names the first that is not.
    pub fn validate(&self) -> Result<()> {
        let from_one = |setting, n: usize| check(setting, "a number from 1", &n, n > 0);
        from_one("--epochs", self.epochs)?;
        from_one("--batch", self.batch)?;
        from_one("--parts", self.parts)?;
        from_one("--patience", self.patience)?;
        from_one("--variants", self.variants)?;
        from_one("--save-every", self.save_every)?;
        let positive = |setting, x: f64| check(setting, "a positive number", &x, x > 0.0 && x.is_finite());
        positive("--learning-rate", self.learning_rate)?;
        positive("--clip", self.clip)?;
        let share = |setting, x: f64| check(setting, "0 to 1", &x, (0.0..=1.0).contains(&x));
        share("--weight-decay", self.weight_decay)?;
        share("--max-bad", self.max_bad)?;
        share("--warm-up", self.warm_up.unwrap_or(0.0))?;
        share("--calls", self.calls)?;
        if let Some(weight) = self.lone_speakers {
            let strong = matches!(self.augmentation, Augmentation::Strong { .. });
            let can = strong && self.balance == Balance::Speakers && !self.cache;
            share("--lone-speakers", weight.into())?;
            let beside = "--augment strong and --balance speakers beside it, and --no-cache or scratch";
            check("--lone-speakers", beside, &weight, can)?;
        }
        if let Some(seconds) = self.crop {
            check(
                "--crop",
                "0.5 or more seconds",
                &seconds,
                seconds >= 0.5 && seconds.is_finite(),
            )?;
            check("--crop", "--no-cache beside it, or scratch", &seconds, !self.cache)?;
        }
        let smoothing = self.label_smoothing;
        check(
            "--label-smoothing",
            "0 to 0.5",
            &smoothing,
            (0.0..=0.5).contains(&smoothing),
        )?;
        check("--mixup", "0 to 10", &self.mixup, (0.0..=10.0).contains(&self.mixup))?;
        check(
            "--average",
            "0, or below 1",
            &self.average,
            (0.0..1.0).contains(&self.average),
        )
    }
}

pub(crate) fn check(
    setting: &'static str,
    expected: &'static str,
    found: &dyn std::fmt::Debug,
    holds: bool,
) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        expected,
        found: format!("{found:?}"),
    })
}
