//! The detector: a loaded model that scores clips.

use std::fmt;
use std::mem;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use ndarray::ArrayView2;

use crate::audio::{SAMPLE_RATE, check_amplitude};
use crate::model::{Model, ModelSource, Normalization};
use crate::quality::Listener;
use crate::runtime::{self, Engine, Settings};
use crate::{
    AudioReader, Error, ExecutionProvider, Label, Limits, ModelMetadata, Result, Runtime, Score, Scores, Stream, Tail,
    Window, WindowScore, Windowing,
};

/// The fewest samples that are scored: 25 ms, which is what the network needs for a single frame.
pub const MIN_SAMPLES: usize = 400;
/// No decoder overshoots full scale by more than this (24 dB): above it, the samples are integers.
pub(crate) const MAX_AMPLITUDE: f32 = 16.0;
/// Windows per run on a GPU, whose memory and cores want more than one.
const GPU_BATCH: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// Tells real speech from synthetic speech.
///
/// It is `Send + Sync` and scores through `&self`, and its clones share the model: build one, and call it from as many
/// threads as you like. As many calls run at once as there are [`sessions`](DetectorBuilder::sessions); the others wait.
///
/// ```no_run
/// use bonafide::Detector;
///
/// let detector = Detector::builder().model("model.onnx").build()?;
/// let score = detector.score_file("call.mp3")?;
/// println!("{:.3} {}", score.spoof_probability, score.label);
/// # Ok::<(), bonafide::Error>(())
/// ```
#[derive(Clone)]
pub struct Detector {
    engine: Arc<dyn Engine>,
    windowing: Windowing,
    batch_size: usize,
    /// The graph takes exactly `batch_size` windows, never fewer.
    fixed_batch: bool,
    info: Arc<Info>,
    threshold: f32,
    limits: Limits,
}

/// What a detector runs on, and with what.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Info {
    /// The runtime in use: never [`Runtime::Auto`].
    pub runtime: Runtime,
    /// Its version.
    pub runtime_version: String,
    /// The provider really in use.
    pub provider: ExecutionProvider,
    /// The file that ONNX Runtime was loaded from.
    pub library: Option<PathBuf>,
    /// Why this isn't the runtime or provider that would have been preferred, if it isn't.
    pub fallback: Option<String>,
    /// Threads that share the work of one run.
    pub intra_threads: usize,
    /// Runs that may go on at once.
    pub sessions: usize,
    /// Most windows in one run.
    pub batch_size: usize,
    /// The model's file, if it came from one.
    pub model_path: Option<PathBuf>,
    /// The model is the small one that the crate comes with.
    pub embedded_model: bool,
    /// What the model says of itself.
    pub model: ModelMetadata,
}

impl fmt::Display for Info {
    /// The runtime, its version and the provider, such as `onnxruntime 1.31.0 cpu`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.runtime, self.runtime_version, self.provider)
    }
}

impl Detector {
    /// A detector with the small model that comes with this crate, on the processor.
    ///
    /// It is small: for what it can do and what it can't, see the
    /// [model card](https://github.com/bonafide-rs/bonafide/blob/main/models/README.md). Where a verdict has consequences, use
    /// a large model through [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// [`Error`] says why no runtime can be had.
    #[cfg(feature = "embedded-model")]
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Starts building a detector.
    pub fn builder() -> DetectorBuilder {
        DetectorBuilder::default()
    }

    /// Scores a clip: mono samples in [-1, 1] at 16 kHz, at least [`MIN_SAMPLES`] of them.
    ///
    /// Memory beyond the samples does not grow with the clip's length: at most
    /// [`batch_size`](DetectorBuilder::batch_size) windows are in a run, and as many runs as there are
    /// [`sessions`](DetectorBuilder::sessions).
    ///
    /// # Errors
    ///
    /// [`Error::EmptyAudio`], [`Error::AudioTooShort`], [`Error::NotFinite`] and [`Error::Amplitude`] for samples
    /// that can't be scored; [`Error::Runtime`] if the runtime fails.
    pub fn score(&self, samples: &[f32]) -> Result<Score> {
        let count = self.check_length(samples.len())?;
        check_amplitude(samples, MAX_AMPLITUDE)?;
        let mut scores = Vec::with_capacity(count);
        self.score_windows(self.windowing.windows(samples), &mut scores)?;
        let mut listener = Listener::new();
        listener.hear(samples);
        Ok(self.sum_up(scores, &listener))
    }

    /// Scores a file of any supported format, rate and channel count: decodes it, takes the mean of its channels,
    /// resamples it to 16 kHz and scores that, piece by piece, so that memory does not grow with its length. While a piece is
    /// scored the next one is decoded. Files beyond the detector's [`Limits`] are errors.
    ///
    /// # Errors
    ///
    /// As [`AudioReader`], [`resample`](crate::resample) and [`Detector::score`].
    pub fn score_file(&self, path: impl AsRef<Path>) -> Result<Score> {
        let path = path.as_ref();
        let mut reader = AudioReader::open_with(path, &self.limits)?;
        self.score_reader(&mut reader).map_err(|error| error.in_file(path))
    }

    /// Scores many files, on all cores, and gives their scores in the order of the paths, each as soon as it is there.
    ///
    /// One file more than there are [`sessions`](DetectorBuilder::sessions) is worked on at once, so that decoding goes on
    /// while the model runs. For many short files and a large model give as many sessions as cores; each then has a thread of
    /// its own.
    ///
    /// ```no_run
    /// use bonafide::Detector;
    ///
    /// let detector = Detector::builder().model("model.onnx").sessions(4).build()?;
    /// for (path, score) in detector.score_files(["a.wav", "b.mp3", "c.flac"]) {
    ///     match score {
    ///         Ok(score) => println!("{path}: {:.3}", score.spoof_probability),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), bonafide::Error>(())
    /// ```
    pub fn score_files<P, I>(&self, paths: I) -> Scores<P>
    where
        P: AsRef<Path> + Send + 'static,
        I: IntoIterator<Item = P>,
        I::IntoIter: Send + 'static,
    {
        Scores::start(self, Box::new(paths.into_iter()))
    }

    fn score_reader(&self, reader: &mut AudioReader<'_>) -> Result<Score> {
        let mut stream = self.stream_of(reader.sample_rate(), reader.channels())?;
        // Enough at a time for all sessions to have some batches, as the last to be done keeps the others waiting; within 64 MB,
        // twice.
        let hop = self.windowing.hop().saturating_mul(8 * self.batch_size);
        let seconds = hop.saturating_mul(self.info.sessions).div_ceil(SAMPLE_RATE as usize);
        let frames = seconds.saturating_mul(reader.sample_rate() as usize);
        let enough = frames.saturating_mul(usize::from(reader.channels())).min(1 << 24);
        let mut next_piece = |piece: &mut Vec<f32>| -> Result<bool> {
            piece.clear();
            while piece.len() < enough {
                if !reader.next_block(piece)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let (mut piece, mut next) = (Vec::new(), Vec::new());
        let mut more = next_piece(&mut piece)?;
        while more {
            let (decoded, scored) = beside(|| next_piece(&mut next), || stream.push(&piece).map(drop));
            scored?;
            more = decoded?;
            mem::swap(&mut piece, &mut next);
        }
        stream.push(&piece)?;
        stream.finish()
    }

    /// Scores audio as it comes: mono samples in [-1, 1] at 16 kHz.
    #[must_use]
    pub fn stream(&self) -> Stream<'_> {
        Stream::of_model_input(self)
    }

    /// Scores audio as it comes: interleaved samples in [-1, 1] of `channels` channels at `sample_rate` Hz.
    ///
    /// # Errors
    ///
    /// [`Error::SampleRate`] or [`Error::Channels`] beyond the limits of [`Audio`](crate::Audio).
    pub fn stream_of(&self, sample_rate: u32, channels: u16) -> Result<Stream<'_>> {
        Stream::new(self, sample_rate, channels)
    }

    /// What the detector runs on.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    pub(crate) fn windowing(&self) -> &Windowing {
        &self.windowing
    }

    /// The number of windows of a clip of `samples` samples, at least one.
    pub(crate) fn check_length(&self, samples: usize) -> Result<usize> {
        if samples == 0 {
            return Err(Error::EmptyAudio { path: None });
        }
        let windows = self.windowing.count(samples);
        if samples < MIN_SAMPLES || windows == 0 {
            return Err(Error::AudioTooShort {
                path: None,
                expected: if windows == 0 {
                    self.windowing.length()
                } else {
                    MIN_SAMPLES
                },
                found: samples,
            });
        }
        Ok(windows)
    }

    /// Scores windows in batches, spread over the sessions, and appends their scores in order: on an error, of those before.
    pub(crate) fn score_windows<'w>(
        &self,
        windows: impl ExactSizeIterator<Item = Window<'w>> + Send,
        scores: &mut Vec<WindowScore>,
    ) -> Result<()> {
        let workers = self.info.sessions.min(windows.len().div_ceil(self.batch_size));
        let queue = Mutex::new(windows);
        let failed = AtomicBool::new(false);
        // Batches are taken in order, so those before one that fails have all been taken, and are finished.
        let work = |scores: &mut Vec<WindowScore>| {
            let (mut batch, mut buffer) = (Vec::with_capacity(self.batch_size), Vec::new());
            while !failed.load(Ordering::Relaxed) {
                batch.clear();
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                batch.extend(queue.by_ref().take(self.batch_size));
                drop(queue);
                let start = batch.first()?.start_seconds();
                if let Err(error) = self.run(&batch, &mut buffer, scores) {
                    failed.store(true, Ordering::Relaxed);
                    return Some((start, error));
                }
            }
            None
        };
        let before = scores.len();
        let failure = match workers {
            0 => return Ok(()),
            1 => work(scores),
            _ => share(workers, scores, work),
        };
        let new = &mut scores[before..];
        new.sort_unstable_by(|a, b| a.start_seconds.total_cmp(&b.start_seconds));
        let Some((start, error)) = failure else {
            return Ok(());
        };
        let finished = new.partition_point(|score| score.start_seconds < start);
        scores.truncate(before + finished);
        Err(error)
    }

    /// The score of a clip from those of its windows, at least one.
    pub(crate) fn sum_up(&self, windows: Vec<WindowScore>, listener: &Listener) -> Score {
        Score::new(windows, self.threshold, listener)
    }

    /// Runs the model on a batch, and appends the windows' scores. `buffer` is where windows are put side by side.
    fn run(&self, batch: &[Window<'_>], buffer: &mut Vec<f32>, scores: &mut Vec<WindowScore>) -> Result<()> {
        let length = self.windowing.length();
        let rows = if self.fixed_batch { self.batch_size } else { batch.len() };
        let as_it_is = self.info.model.normalization == Normalization::None;
        let samples = match batch {
            [single] if rows == 1 && as_it_is => &single.samples,
            several => {
                buffer.clear();
                several
                    .iter()
                    .for_each(|window| buffer.extend_from_slice(&window.samples));
                if !as_it_is {
                    buffer.chunks_exact_mut(length).for_each(normalise);
                }
                buffer.resize(rows * length, 0.0);
                &buffer[..]
            }
        };
        let windows = ArrayView2::from_shape((rows, length), samples).map_err(|error| Error::Runtime {
            runtime: "bonafide",
            action: "arrange the windows",
            reason: error.to_string(),
        })?;
        let logits = self.engine.run(windows)?;
        let bonafide = usize::from(self.info.model.labels[0] == Label::Spoof);
        for (window, logits) in batch.iter().zip(logits) {
            if let Some(logit) = logits.into_iter().find(|logit| !logit.is_finite()) {
                return Err(Error::Runtime {
                    runtime: "the model",
                    action: "score a window",
                    reason: format!("its logit is {logit}: the model is damaged, or its precision too low"),
                });
            }
            let (start, end) = (window.start_seconds(), window.end_seconds());
            scores.push(WindowScore::new(start, end, logits[bonafide], logits[1 - bonafide]));
        }
        Ok(())
    }
}

/// Does one thing on another thread while it does the other here.
fn beside<A: Send, B>(elsewhere: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let mut waiting = Some(elsewhere);
    let (done, here) = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, || waiting.take().map(|work| work()));
        let here = here();
        let join = |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        (thread.ok().and_then(join), here)
    });
    // Where there is no thread to be had, one thing is done after the other.
    let elsewhere = done.or_else(|| waiting.map(|work| work()));
    (elsewhere.expect("done on the thread, or else after it"), here)
}

/// Where a batch that failed starts, in seconds, and why it did.
type Failure = (f64, Error);

/// Has several threads do the same work, each with its own list of scores, and appends them all. Of failures, the first in
/// time.
fn share(
    workers: usize,
    scores: &mut Vec<WindowScore>,
    work: impl Fn(&mut Vec<WindowScore>) -> Option<Failure> + Sync,
) -> Option<Failure> {
    let elsewhere = || {
        let mut scores = Vec::new();
        let failure = work(&mut scores);
        (scores, failure)
    };
    thread::scope(|scope| {
        // Where there is no thread to be had, there are fewer workers.
        let others: Vec<_> = (1..workers)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, elsewhere).ok())
            .collect();
        let mut failures: Vec<Failure> = work(scores).into_iter().collect();
        for other in others {
            let (more, failure) = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            scores.extend(more);
            failures.extend(failure);
        }
        failures.into_iter().min_by(|(a, _), (b, _)| a.total_cmp(b))
    })
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector")
            .field("info", &self.info)
            .field("windowing", &self.windowing)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

/// `(x − mean) / √(variance + 1e-7)`, as Hugging Face's `Wav2Vec2FeatureExtractor` does.
fn normalise(window: &mut [f32]) {
    let mean_of = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / window.len() as f64;
    let mean = mean_of(&mut window.iter().map(|&x| f64::from(x)));
    let variance = mean_of(&mut window.iter().map(|&x| (f64::from(x) - mean).powi(2)));
    let deviation = (variance + 1e-7).sqrt();
    for x in window {
        *x = ((f64::from(*x) - mean) / deviation) as f32;
    }
}

/// Builds a [`Detector`]. Only the model must be given.
#[derive(Debug, Clone, Default)]
#[must_use = "call `build`"]
pub struct DetectorBuilder {
    model: Option<ModelSource>,
    metadata: Option<ModelMetadata>,
    threshold: Option<f32>,
    batch_size: Option<usize>,
    hop: Option<usize>,
    tail: Tail,
    intra_threads: Option<usize>,
    sessions: Option<usize>,
    limits: Limits,
    settings: Settings,
}

impl DetectorBuilder {
    /// The model's ONNX file, as made by `bonafide-export`. By default the small model that comes with this crate, under
    /// the feature `embedded-model`.
    pub fn model(mut self, path: impl Into<PathBuf>) -> Self {
        self.model = Some(ModelSource::File(path.into()));
        self
    }

    /// The bytes of the model's ONNX file. Weights in a file beside it can't be found this way.
    pub fn model_bytes(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.model = Some(ModelSource::Bytes(bytes.into()));
        self
    }

    /// How the model is to be used, in place of what its file says: for a graph that another exporter wrote.
    pub fn metadata(mut self, metadata: ModelMetadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// A clip is called spoof above this P(spoof), 0 to 1. By default the model's own threshold, else 0.5.
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Samples from one window's start to the next one's, from 1. By default the model's own hop, else half a window.
    pub fn hop(mut self, samples: usize) -> Self {
        self.hop = Some(samples);
        self
    }

    /// What happens to the samples at the end of a clip that fill no whole window: [`Tail::Pad`] by default.
    /// [`Tail::Drop`] makes clips shorter than a window an error.
    pub fn tail(mut self, tail: Tail) -> Self {
        self.tail = tail;
        self
    }

    /// Most windows in one run, from 1. By default 1 on the processor, whose cores a single window keeps busy, and 16
    /// on a GPU. Memory grows with it: by about 0.3 GB a window for a model of wav2vec2-base's size.
    ///
    /// A model exported for a fixed number of windows always runs that number.
    pub fn batch_size(mut self, windows: usize) -> Self {
        self.batch_size = Some(windows);
        self
    }

    /// What [`Detector::score_file`] and [`score_files`](Detector::score_files) take in at most. A clip given as samples and a
    /// stream are in the caller's hands, and not limited.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The runtime. By default ONNX Runtime if its library is found, else rten.
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.settings.runtime = runtime;
        self
    }

    /// The path of ONNX Runtime's library, and no other is tried. Without it `ORT_DYLIB_PATH` is tried, then next to the
    /// executable, what `scripts/onnxruntime.sh` fetched, and the system's loader.
    pub fn onnxruntime_library(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.onnxruntime_library = Some(path.into());
        self
    }

    /// Threads that share the work of one run, from 1. By default the physical cores, divided by the
    /// [`sessions`](Self::sessions).
    pub fn intra_threads(mut self, threads: usize) -> Self {
        self.intra_threads = Some(threads);
        self
    }

    /// Runs that may go on at once, from 1. The windows of a clip are spread over them. Each has its own threads and working
    /// memory, and on ONNX Runtime its own copy of the weights.
    ///
    /// By default 1, whose run has all cores; but for models below 32 MB on the processor, such as the embedded one, and
    /// unless [`intra_threads`](Self::intra_threads) is given, the physical cores up to 8: a run of a small model is too
    /// little work to be shared out.
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// The hardware that runs the model; the processor by default. If it can't be had, building fails, unless
    /// [`allow_cpu_fallback`](Self::allow_cpu_fallback) is given.
    pub fn execution_provider(mut self, provider: ExecutionProvider) -> Self {
        self.settings.provider = provider;
        self
    }

    /// Uses the processor when the execution provider can't be had. [`Info::fallback`] then says why, as does a warning
    /// through `tracing`.
    pub fn allow_cpu_fallback(mut self) -> Self {
        self.settings.allow_cpu_fallback = true;
        self
    }

    /// Most bytes of the GPU's memory to use: of CUDA's arena, and of TensorRT's workspace.
    pub fn gpu_memory_limit(mut self, bytes: usize) -> Self {
        self.settings.gpu_memory_limit = Some(bytes);
        self
    }

    /// Lets TensorRT compute in half precision: about twice as fast, with slightly different scores. Off by default.
    pub fn tensorrt_fp16(mut self, enable: bool) -> Self {
        self.settings.tensorrt_fp16 = enable;
        self
    }

    /// Loads the model.
    ///
    /// # Errors
    ///
    /// [`Error`] says which setting is out of range, what is wrong with the model, or why the runtime or the provider
    /// can't be had.
    pub fn build(self) -> Result<Detector> {
        let source = self.model.or_else(ModelSource::embedded).ok_or(Error::NoModel)?;
        let embedded = matches!(source, ModelSource::Embedded(_));
        let model = Model::open(source, self.metadata)?;
        let metadata = model.metadata.clone();
        let threshold = self.threshold.unwrap_or(metadata.threshold);
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::Setting {
                setting: "threshold",
                expected: "a number from 0 to 1",
                found: threshold.to_string(),
            });
        }
        let hop = from_one("hop", self.hop)?.unwrap_or(metadata.hop_samples);
        let batch_size = from_one("batch_size", self.batch_size)?;
        let mut settings = self.settings;
        settings.intra_threads = from_one("intra_threads", self.intra_threads)?;
        settings.sessions = from_one("sessions", self.sessions)?;

        let loaded = runtime::load(&model, &settings)?;
        model.check_same()?;
        let default_batch = match loaded.provider {
            ExecutionProvider::Cpu => NonZeroUsize::MIN,
            _ => GPU_BATCH,
        };
        let batch_size = model.fixed_batch.or(batch_size).unwrap_or(default_batch).get();
        Ok(Detector {
            engine: loaded.engine.into(),
            windowing: Windowing::new(metadata.window_samples, hop).tail(self.tail),
            batch_size,
            fixed_batch: model.fixed_batch.is_some(),
            threshold,
            limits: self.limits,
            info: Arc::new(Info {
                runtime: loaded.runtime,
                runtime_version: loaded.version,
                provider: loaded.provider,
                library: loaded.library,
                fallback: loaded.fallback,
                intra_threads: loaded.intra_threads,
                sessions: loaded.sessions,
                batch_size,
                model_path: model.path().map(Path::to_owned),
                embedded_model: embedded,
                model: metadata,
            }),
        })
    }
}

fn from_one(setting: &'static str, value: Option<usize>) -> Result<Option<NonZeroUsize>> {
    value
        .map(|value| {
            NonZeroUsize::new(value).ok_or(Error::Setting {
                setting,
                expected: "a number from 1",
                found: value.to_string(),
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_can_be_shared_between_threads() {
        fn shareable<T: Send + Sync + 'static>() {}
        shareable::<Detector>();
        shareable::<Arc<Detector>>();
    }

    #[test]
    fn a_normalised_window_has_zero_mean_and_unit_variance() {
        let mut window: Vec<f32> = (0..1000).map(|n| 3.0 + (n as f32 * 0.1).sin()).collect();
        normalise(&mut window);
        let mean = window.iter().sum::<f32>() / 1000.0;
        let variance = window.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 1000.0;
        assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");

        let mut silence = vec![0.0; 1000];
        normalise(&mut silence);
        assert_eq!(silence, vec![0.0; 1000]);
    }

    /// Fails on a window that begins with a -1, and gives its first sample as a logit for any other.
    #[cfg(all(feature = "embedded-model", feature = "rten"))]
    struct Touchy;

    #[cfg(all(feature = "embedded-model", feature = "rten"))]
    impl Engine for Touchy {
        fn run(&self, windows: ArrayView2<'_, f32>) -> Result<Vec<[f32; 2]>> {
            let firsts = windows.rows().into_iter().map(|window| window[0]);
            let logit = |first: f32| {
                (first != -1.0).then_some([first, 0.0]).ok_or(Error::Runtime {
                    runtime: "touchy",
                    action: "run",
                    reason: "it was touched".to_owned(),
                })
            };
            firsts.map(logit).collect()
        }
    }

    #[cfg(all(feature = "embedded-model", feature = "rten"))]
    #[test]
    fn after_a_failure_the_windows_before_it_are_there() {
        let mut detector = Detector::builder().runtime(Runtime::Rten).sessions(4).build().unwrap();
        detector.engine = Arc::new(Touchy);
        let (length, hop) = (detector.windowing.length(), detector.windowing.hop());
        let mut clip = vec![0.0; hop * 40];
        for n in 0..40 {
            clip[n * hop] = n as f32 / 100.0;
        }
        for failing in [0, 1, 7, 30] {
            let before = mem::replace(&mut clip[failing * hop], -1.0);
            let mut scores = Vec::new();
            let windows = (0..30).map(|n| Window {
                start: n * hop,
                valid: length,
                samples: clip[n * hop..][..length].into(),
            });
            let result = detector.score_windows(windows, &mut scores);
            assert_eq!(result.is_err(), failing < 30);
            assert_eq!(scores.len(), failing);
            for (n, score) in scores.iter().enumerate() {
                assert_eq!(score.llr, n as f32 / 100.0);
            }
            clip[failing * hop] = before;
        }
    }
}
