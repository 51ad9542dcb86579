//! The small spectral network that `bonafide-train` trains: its shape, and its ONNX graph.
//!
//! A spectrogram, made by a convolution with cosines and sines; residual blocks of convolutions; mean and deviation over
//! time, weighed by attention; a linear layer. Each batch norm is folded into the convolution before it. There may be
//! several such networks beside one another, whose logits have one mean.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::config::{self, expect};
use crate::layout::CLASSES;
use crate::onnx::{Attribute, Dimension, Graph};
use crate::wav2vec2::{INPUT, OUTPUT};
use crate::{Error, Result, SAMPLE_RATE};

/// `model_type` in `config.json`.
pub(crate) const MODEL_TYPE: &str = "bonafide-lite";
/// The kernels of the residual blocks are 3 × 3.
const KERNEL: usize = 3;
/// Added to a variance before its root.
const VARIANCE_FLOOR: f32 = 1e-5;
/// Added to the sum of the frames' audibility, so that digital silence has a mean.
pub const SILENT_FRAMES: f32 = 1e-3;
/// Epsilon of batch norms, PyTorch's default.
const BATCH_NORM_EPS: f64 = 1e-5;
/// Networks beside one another, at most.
const MAX_BESIDE: usize = 15;
/// No network of this kind comes near this; it keeps products of sizes from overflowing.
const MAX_SIZE: usize = 1 << 14;

/// The shape of the small network: what `config.json` holds under `model_type` `bonafide-lite`.
///
/// A field that is left out has the default's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LiteConfig {
    /// Always `bonafide-lite`.
    pub model_type: String,
    /// Samples in a window, at 16 kHz.
    pub window_samples: usize,
    /// Samples in a frame of the spectrogram, under a Hann window. It has half as many bins, and one.
    pub frame_samples: usize,
    /// The highest frequency that is heard, in Hz: bins above it are left out.
    pub highest_hz: u32,
    /// Samples from one frame to the next.
    pub frame_hop: usize,
    /// Added to the power of a bin before the logarithm; full scale is about (`frame_samples` / 4)².
    pub power_floor: f32,
    /// What of the window's log power is taken off, so that it does not count.
    pub remove: Removed,
    /// Channels of the stem, a 3 × 3 convolution.
    pub stem_channels: usize,
    /// Stride of the stem, along frequency and time.
    pub stem_stride: [usize; 2],
    /// The stages of residual blocks.
    pub stages: Vec<Stage>,
    /// Channels are weighed by two linear layers on their means, the inner this many times narrower; 0 for none.
    pub squeeze: usize,
    /// Width of the inner layer of the attention over time.
    pub attention_size: usize,
    /// The share of pooled features that is dropped in training.
    pub dropout: f32,
    /// Networks that hear the same window; the logits are the mean of all. The names of the first one's tensors begin with
    /// `beside.0.`, and so on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<LiteConfig>,
}

/// What is taken off a window's log power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removed {
    /// Nothing.
    Nothing,
    /// Its mean: loudness does not count.
    Level,
    /// The mean of each bin over time, as cepstral mean subtraction does: neither loudness nor the microphone's and the
    /// channel's response count. Frames count by their power over [`LiteConfig::power_floor`], those of zeros not at all, so
    /// that a short clip's padding changes nothing.
    Spectrum,
}

/// Residual blocks of one width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Channels of each block.
    pub channels: usize,
    /// Blocks, from 1.
    pub blocks: usize,
    /// Stride of the first block, along frequency and time.
    pub stride: [usize; 2],
}

/// A residual block: two 3 × 3 convolutions beside a shortcut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What its tensors' names begin with.
    pub name: String,
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Stride of the first convolution, along frequency and time.
    pub stride: [usize; 2],
}

impl Block {
    /// Whether the shortcut is a convolution, as the shape changes.
    #[must_use]
    pub fn changes_shape(&self) -> bool {
        self.inputs != self.outputs || self.stride != [1, 1]
    }
}

impl Default for LiteConfig {
    fn default() -> Self {
        let stage = |channels, blocks, stride| Stage {
            channels,
            blocks,
            stride,
        };
        Self {
            model_type: MODEL_TYPE.to_owned(),
            window_samples: 64_000,
            frame_samples: 512,
            highest_hz: SAMPLE_RATE / 2,
            frame_hop: 256,
            power_floor: 1e-5,
            remove: Removed::Spectrum,
            stem_channels: 16,
            stem_stride: [2, 2],
            stages: vec![
                stage(16, 1, [1, 1]),
                stage(32, 2, [2, 2]),
                stage(64, 2, [2, 2]),
                stage(96, 2, [2, 1]),
            ],
            squeeze: 8,
            attention_size: 64,
            dropout: 0.2,
            beside: Vec::new(),
        }
    }
}

impl LiteConfig {
    /// What the names of tensors of networks beside the first begin with.
    pub const BESIDE: &str = "beside.";

    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], which names the field, what is supported and what was found.
    pub fn validate(&self) -> Result<()> {
        let size = |n: usize| (1..=MAX_SIZE).contains(&n);
        let strides = |stride: [usize; 2]| stride.iter().all(|&s| (1..=16).contains(&s));
        expect(
            "model_type",
            MODEL_TYPE,
            &self.model_type,
            self.model_type == MODEL_TYPE,
        )?;
        let frame = self.frame_samples;
        expect(
            "frame_samples",
            "an even number from 16 to 4096",
            &frame,
            frame.is_multiple_of(2) && (16..=4096).contains(&frame),
        )?;
        let highest = self.highest_hz;
        expect(
            "highest_hz",
            "a number from 1,000 to 8,000",
            &highest,
            (1_000..=SAMPLE_RATE / 2).contains(&highest),
        )?;
        let hop = self.frame_hop;
        expect(
            "frame_hop",
            "a number from 1 to frame_samples",
            &hop,
            (1..=frame).contains(&hop),
        )?;
        let window = self.window_samples;
        expect(
            "window_samples",
            "frame_samples to 1,000,000",
            &window,
            (frame..=1_000_000).contains(&window),
        )?;
        let floor = self.power_floor;
        expect(
            "power_floor",
            "a positive number",
            &floor,
            floor > 0.0 && floor.is_finite(),
        )?;
        for (field, n) in [
            ("stem_channels", self.stem_channels),
            ("attention_size", self.attention_size),
        ] {
            expect(field, "a number from 1 to 16384", &n, size(n))?;
        }
        expect(
            "stem_stride",
            "two numbers from 1 to 16",
            &self.stem_stride,
            strides(self.stem_stride),
        )?;
        expect(
            "stages",
            "1 to 16 stages",
            &self.stages.len(),
            (1..=16).contains(&self.stages.len()),
        )?;
        for stage in &self.stages {
            let holds = size(stage.channels) && (1..=64).contains(&stage.blocks) && strides(stage.stride);
            expect(
                "stages",
                "channels to 16384, 1 to 64 blocks, strides from 1 to 16",
                stage,
                holds,
            )?;
        }
        expect("squeeze", "0 to 64", &self.squeeze, self.squeeze <= 64)?;
        expect(
            "dropout",
            "0 to 0.9",
            &self.dropout,
            (0.0..=0.9).contains(&self.dropout),
        )?;
        let beside = self.beside.len();
        expect("beside", "0 to 15 networks", &beside, beside <= MAX_BESIDE)?;
        for other in &self.beside {
            let holds = other.beside.is_empty() && other.window_samples == window;
            let found = [("window_samples", other.window_samples), ("beside", other.beside.len())];
            expect("beside", "networks of the same window, none beside them", &found, holds)?;
            other.validate()?;
        }
        Ok(())
    }

    /// All networks, and what the names of their tensors begin with: this one, without a prefix, and those beside it.
    pub fn networks(&self) -> impl Iterator<Item = (String, &LiteConfig)> {
        let beside = self.beside.iter().enumerate();
        std::iter::once((String::new(), self)).chain(beside.map(|(n, other)| (format!("{}{n}.", Self::BESIDE), other)))
    }

    /// Bins of the spectrogram that are heard.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.frame_samples * self.highest_hz as usize / SAMPLE_RATE as usize + 1
    }

    /// The residual blocks in order.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut inputs = self.stem_channels;
        for (s, stage) in self.stages.iter().enumerate() {
            for b in 0..stage.blocks {
                let stride = if b == 0 { stage.stride } else { [1, 1] };
                blocks.push(Block {
                    name: format!("stages.{s}.{b}"),
                    inputs,
                    outputs: stage.channels,
                    stride,
                });
                inputs = stage.channels;
            }
        }
        blocks
    }

    /// Features of a frame after the last block: its channels times the frequencies left.
    #[must_use]
    pub fn features(&self) -> usize {
        let strides = self.blocks().into_iter().map(|block| block.stride[0]);
        let frequencies = std::iter::once(self.stem_stride[0])
            .chain(strides)
            .fold(self.bins(), usize::div_ceil);
        self.stages.last().map_or(0, |stage| stage.channels) * frequencies
    }

    /// Frames of the spectrogram of a window.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.window_samples.saturating_sub(self.frame_samples) / self.frame_hop + 1
    }

    /// A Hann window times the cosine of each bin: `[bins, frame_samples]`.
    #[must_use]
    pub fn cosines(&self) -> Vec<f32> {
        waves(self.bins(), self.frame_samples, f64::cos)
    }

    /// A Hann window times the sine of each bin: `[bins, frame_samples]`.
    #[must_use]
    pub fn sines(&self) -> Vec<f32> {
        waves(self.bins(), self.frame_samples, f64::sin)
    }
}

fn waves(bins: usize, frame: usize, of: fn(f64) -> f64) -> Vec<f32> {
    let turn = |k: usize, n: usize| std::f64::consts::TAU * ((k * n % frame) as f64) / frame as f64;
    let hann = |n| 0.5 - 0.5 * turn(1, n).cos();
    let wave = |k| (0..frame).map(move |n| (hann(n) * of(turn(k, n))) as f32);
    (0..bins).flat_map(wave).collect()
}

/// The shape beside a checkpoint, if it is one of this kind: a `config.json` whose `model_type` is `bonafide-lite`.
pub(crate) fn find(checkpoint: &Checkpoint, given: Option<&Path>) -> Result<Option<LiteConfig>> {
    let beside = checkpoint.path().with_file_name("config.json");
    let path = match given {
        Some(given) => given,
        None if beside.is_file() => &beside,
        None => return Ok(None),
    };
    let json = config::read(path)?;
    let syntax = |source| Error::ConfigSyntax {
        path: path.to_owned(),
        source,
    };
    let value: serde_json::Value = serde_json::from_slice(&json).map_err(syntax)?;
    if value.get("model_type").and_then(serde_json::Value::as_str) != Some(MODEL_TYPE) {
        return Ok(None);
    }
    let config: LiteConfig = serde_json::from_value(value).map_err(syntax)?;
    config.validate()?;
    Ok(Some(config))
}

/// Builds the graph `waveform [batch, window_samples]` → `logits [batch, 2]`. Every tensor of the checkpoint must be one of
/// the network's and have its shape.
pub(crate) fn build<'a>(checkpoint: &'a Checkpoint, config: &LiteConfig, batch: &Dimension) -> Result<Graph<'a>> {
    let mut network = Network {
        checkpoint,
        prefix: String::new(),
        graph: Graph::default(),
        used: BTreeSet::new(),
    };
    let waveform = network
        .graph
        .input(INPUT, &[batch.clone(), Dimension::Fixed(config.window_samples)]);
    let mut logits = Vec::new();
    for (prefix, config) in config.networks() {
        network.prefix = prefix;
        logits.push(network.logits(config, &waveform)?);
    }
    network.prefix = String::new();
    network.mean(&logits);
    network
        .graph
        .output(OUTPUT, &[batch.clone(), Dimension::Fixed(CLASSES)]);
    let unused = checkpoint.tensors().filter(|(name, _)| !network.used.contains(name));
    let names: Vec<String> = unused.map(|(name, _)| name.to_owned()).collect();
    if names.is_empty() {
        return Ok(network.graph);
    }
    Err(Error::UnknownTensors { names, assumed: false })
}

struct Network<'a> {
    checkpoint: &'a Checkpoint,
    /// What the names of the tensors, nodes and constants of the network at work begin with.
    prefix: String,
    graph: Graph<'a>,
    /// The checkpoint's tensors that the graph has taken up.
    used: BTreeSet<&'a str>,
}

impl<'a> Network<'a> {
    /// One network: `[batch, samples]` → `[batch, 2]`.
    fn logits(&mut self, config: &LiteConfig, waveform: &str) -> Result<String> {
        let mut x = self.spectrogram(config, waveform)?;
        x = self.convolution("stem", &x, [1, config.stem_channels], KERNEL, config.stem_stride)?;
        x = self.node("Relu", "stem.relu", &[&x]);
        for block in config.blocks() {
            x = self.block(config, &block, &x)?;
        }
        self.pool(config, &x)
    }

    /// The mean of the networks' logits, as the graph's output.
    fn mean(&mut self, logits: &[String]) {
        let [first, others @ ..] = logits else { return };
        if others.is_empty() {
            return self.graph.rename(first, OUTPUT);
        }
        let mut sum = first.clone();
        for (n, other) in others.iter().enumerate() {
            sum = self.node("Add", format!("{}{n}.sum", LiteConfig::BESIDE), &[&sum, other]);
        }
        let share = self.scalar("classifier.share", 1.0 / logits.len() as f32);
        self.node("Mul", OUTPUT, &[&sum, &share]);
    }

    /// The normalised log power of each bin and frame: `[batch, samples]` → `[batch, 1, bins, frames]`.
    fn spectrogram(&mut self, config: &LiteConfig, waveform: &str) -> Result<String> {
        let (bins, frame) = (config.bins(), config.frame_samples);
        let axis_1 = self.graph.integers("axis_1", &[1]);
        let x = self.node("Unsqueeze", "spectrogram.unsqueeze", &[waveform, &axis_1]);
        let mut parts = Vec::new();
        for (part, of) in [("cosines", f64::cos as fn(f64) -> f64), ("sines", f64::sin)] {
            let name = format!("spectrogram.{part}");
            let values = move || Ok(waves(bins, frame, of));
            let waves = self.constant(&format!("{name}.weight"), vec![bins, 1, frame], values);
            // rten takes the defaults for those of two axes, so all is said.
            let attributes = [
                ("strides", Attribute::Ints(vec![config.frame_hop as i64])),
                ("pads", Attribute::Ints(vec![0; 2])),
                ("dilations", Attribute::Ints(vec![1])),
            ];
            let x = self.node_with("Conv", &name, &[&x, &waves], &attributes);
            parts.push(self.node("Mul", format!("{name}.square"), &[&x, &x]));
        }
        let power = self.node("Add", "spectrogram.power", &[&parts[0], &parts[1]]);
        let floor = self.scalar("spectrogram.floor", config.power_floor);
        let floored = self.node("Add", "spectrogram.floored", &[&power, &floor]);
        let mut x = self.node("Log", "spectrogram.log", &[&floored]);
        x = match config.remove {
            Removed::Nothing => x,
            Removed::Level => {
                let axes = ("axes", Attribute::Ints(vec![1, 2]));
                let level = self.node_with("ReduceMean", "spectrogram.level", &[&x], &[axes]);
                self.node("Sub", "spectrogram.levelled", &[&x, &level])
            }
            Removed::Spectrum => self.remove_spectrum(&x, &power, &floor),
        };
        let norm = self.norm("bands.norm", bins)?;
        let [scale, shift] = [0, 1].map(|part| {
            let (norm, checkpoint) = (norm.clone(), self.checkpoint);
            let name = ["bands.scale", "bands.shift"][part];
            self.constant(name, vec![bins, 1], move || {
                Ok(norm.read(checkpoint)?.into_iter().map(|affine| affine[part]).collect())
            })
        });
        let x = self.node("Mul", "bands.mul", &[&x, &scale]);
        let x = self.node("Add", "bands", &[&x, &shift]);
        Ok(self.node("Unsqueeze", "bands.unsqueeze", &[&x, &axis_1]))
    }

    /// The log power `x` less each bin's mean over time, both weighed by the frames' audibility.
    fn remove_spectrum(&mut self, x: &str, power: &str, floor: &str) -> String {
        let axes = ("axes", Attribute::Ints(vec![1]));
        let mean = self.node_with("ReduceMean", "spectrogram.mean_power", &[power], &[axes]);
        let floored = self.node("Add", "spectrogram.mean_power.floored", &[&mean, floor]);
        let audible = self.node("Div", "spectrogram.audible", &[&mean, &floored]);
        let time = self.graph.integers("axis_2", &[2]);
        let weighed = self.node("Mul", "spectrogram.weighed", &[x, &audible]);
        let [sum, frames] = [("spectrogram.sum", &weighed), ("spectrogram.frames", &audible)]
            .map(|(name, x)| self.node("ReduceSum", name, &[x, &time]));
        let least = self.scalar("spectrogram.least", SILENT_FRAMES);
        let frames = self.node("Add", "spectrogram.frames.floored", &[&frames, &least]);
        let spectrum = self.node("Div", "spectrogram.spectrum", &[&sum, &frames]);
        let rest = self.node("Sub", "spectrogram.rest", &[x, &spectrum]);
        self.node("Mul", "spectrogram.audible_rest", &[&rest, &audible])
    }

    /// A convolution with half its kernel as padding, and the batch norm after it folded into it.
    fn convolution(
        &mut self,
        name: &str,
        x: &str,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: [usize; 2],
    ) -> Result<String> {
        let shape = vec![outputs, inputs, kernel, kernel];
        let weight = self.take(&format!("{name}.conv.weight"), &shape)?;
        let norm = self.norm(&format!("{name}.norm"), outputs)?;
        let (checkpoint, of_bias) = (self.checkpoint, norm.clone());
        let weight = self.graph.weight(weight, shape, move || {
            let mut weight = checkpoint.read_f32(weight)?;
            let taps = inputs * kernel * kernel;
            for (kernel, [scale, _]) in weight.chunks_exact_mut(taps).zip(norm.read(checkpoint)?) {
                kernel.iter_mut().for_each(|w| *w *= scale);
            }
            Ok(weight)
        });
        let bias = self.constant(&format!("{name}.conv.bias"), vec![outputs], move || {
            Ok(of_bias.read(checkpoint)?.into_iter().map(|[_, shift]| shift).collect())
        });
        Ok(self.node_with(
            "Conv",
            &format!("{name}.conv"),
            &[x, &weight, &bias],
            &[
                ("kernel_shape", Attribute::Ints(vec![kernel as i64; 2])),
                ("strides", Attribute::Ints(stride.map(|s| s as i64).to_vec())),
                ("pads", Attribute::Ints(vec![(kernel / 2) as i64; 4])),
            ],
        ))
    }

    /// Two convolutions beside a shortcut.
    fn block(&mut self, config: &LiteConfig, block: &Block, x: &str) -> Result<String> {
        let (name, outputs) = (&block.name, block.outputs);
        let y = self.convolution(
            &format!("{name}.first"),
            x,
            [block.inputs, outputs],
            KERNEL,
            block.stride,
        )?;
        let y = self.node("Relu", format!("{name}.first.relu"), &[&y]);
        let mut y = self.convolution(&format!("{name}.second"), &y, [outputs; 2], KERNEL, [1, 1])?;
        if config.squeeze > 0 {
            let inner = outputs.div_ceil(config.squeeze);
            let axes = ("axes", Attribute::Ints(vec![2, 3]));
            let means = self.node_with("ReduceMean", &format!("{name}.means"), &[&y], &[axes]);
            let weights = self.pointwise(&format!("{name}.squeeze"), &means, outputs, inner, 2)?;
            let weights = self.node("Relu", format!("{name}.squeeze.relu"), &[&weights]);
            let weights = self.pointwise(&format!("{name}.excite"), &weights, inner, outputs, 2)?;
            let weights = self.node("Sigmoid", format!("{name}.excite.sigmoid"), &[&weights]);
            y = self.node("Mul", format!("{name}.weighed"), &[&y, &weights]);
        }
        let shortcut = if block.changes_shape() {
            self.convolution(&format!("{name}.shortcut"), x, [block.inputs, outputs], 1, block.stride)?
        } else {
            x.to_owned()
        };
        let sum = self.node("Add", format!("{name}.add"), &[&y, &shortcut]);
        Ok(self.node("Relu", name.as_str(), &[&sum]))
    }

    /// Mean and deviation over time, weighed by attention, and the classifier.
    fn pool(&mut self, config: &LiteConfig, x: &str) -> Result<String> {
        let (features, inner) = (config.features(), config.attention_size);
        let name = format!("{}attention.shape", self.prefix);
        let shape = self.graph.integers(&name, &[0, features as i64, -1]);
        let x = self.node("Reshape", "attention.features", &[x, &shape]);
        let scores = self.pointwise("attention.inner", &x, features, inner, 1)?;
        let scores = self.node("Tanh", "attention.inner.tanh", &[&scores]);
        let scores = self.pointwise("attention.outer", &scores, inner, features, 1)?;
        let axis = ("axis", Attribute::Int(-1));
        let weights = self.node_with("Softmax", "attention", &[&scores], &[axis]);

        let time = self.graph.integers("axis_2", &[2]);
        let squares = self.node("Mul", "pool.squares", &[&x, &x]);
        let [mean, square] = [("pool.mean", &x), ("pool.square", &squares)].map(|(name, x)| {
            let weighed = self.node("Mul", format!("{name}.mul"), &[x, &weights]);
            let keepdims = ("keepdims", Attribute::Int(0));
            self.node_with("ReduceSum", name, &[&weighed, &time], &[keepdims])
        });
        let of_mean = self.node("Mul", "pool.mean.square", &[&mean, &mean]);
        let variance = self.node("Sub", "pool.variance", &[&square, &of_mean]);
        let variance = self.node("Relu", "pool.variance.relu", &[&variance]);
        let floor = self.scalar("pool.floor", VARIANCE_FLOOR);
        let variance = self.node("Add", "pool.variance.floored", &[&variance, &floor]);
        let deviation = self.node("Sqrt", "pool.deviation", &[&variance]);
        let axis = ("axis", Attribute::Int(1));
        let pooled = self.node_with("Concat", "pool", &[&mean, &deviation], &[axis]);
        let weight = self.weight("classifier.weight", &[CLASSES, 2 * features], &[CLASSES, 2 * features])?;
        let bias = self.weight("classifier.bias", &[CLASSES], &[CLASSES])?;
        let transposed = ("transB", Attribute::Int(1));
        Ok(self.node_with("Gemm", "classifier", &[&pooled, &weight, &bias], &[transposed]))
    }

    /// A linear layer at each point: a convolution whose kernel is 1 along each of `axes` axes.
    fn pointwise(&mut self, name: &str, x: &str, inputs: usize, outputs: usize, axes: usize) -> Result<String> {
        let mut shape = vec![outputs, inputs];
        shape.resize(2 + axes, 1);
        let weight = self.weight(&format!("{name}.weight"), &[outputs, inputs], &shape)?;
        let bias = self.weight(&format!("{name}.bias"), &[outputs], &[outputs])?;
        let attributes = [
            ("strides", Attribute::Ints(vec![1; axes])),
            ("pads", Attribute::Ints(vec![0; 2 * axes])),
            ("dilations", Attribute::Ints(vec![1; axes])),
        ];
        Ok(self.node_with("Conv", name, &[x, &weight, &bias], &attributes))
    }

    fn node(&mut self, op_type: &str, name: impl AsRef<str>, inputs: &[&str]) -> String {
        self.node_with(op_type, name.as_ref(), inputs, &[])
    }

    fn node_with(&mut self, op_type: &str, name: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let name = format!("{}{name}", self.prefix);
        self.graph.node(op_type, name, inputs, attributes)
    }

    fn scalar(&mut self, name: &str, value: f32) -> String {
        self.graph.scalar(&format!("{}{name}", self.prefix), value)
    }

    fn constant(&mut self, name: &str, shape: Vec<usize>, values: impl Fn() -> Result<Vec<f32>> + 'a) -> String {
        self.graph.weight(format!("{}{name}", self.prefix), shape, values)
    }

    /// A tensor of the checkpoint as it is, under another shape.
    fn weight(&mut self, name: &str, shape: &[usize], as_shape: &[usize]) -> Result<String> {
        let (name, checkpoint) = (self.take(name, shape)?, self.checkpoint);
        Ok(self
            .graph
            .weight(name, as_shape.to_vec(), move || checkpoint.read_f32(name)))
    }

    /// The tensors of a batch norm.
    fn norm(&mut self, name: &str, channels: usize) -> Result<Norm<'a>> {
        let mut take = |part: &str| self.take(&format!("{name}.{part}"), &[channels]);
        Ok(Norm {
            weight: take("weight")?,
            bias: take("bias")?,
            mean: take("running_mean")?,
            variance: take("running_var")?,
        })
    }

    /// Marks a tensor as used, and checks that it is there with `shape`. Returns its name as the checkpoint keeps it.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<&'a str> {
        let name = checked(self.checkpoint, &format!("{}{name}", self.prefix), shape)?;
        self.used.insert(name);
        Ok(name)
    }
}

/// Checks that a tensor is there with `shape`. Returns its name as the checkpoint keeps it.
pub(crate) fn checked<'a>(checkpoint: &'a Checkpoint, name: &str, shape: &[usize]) -> Result<&'a str> {
    let Some((name, tensor)) = checkpoint.tensor(name) else {
        return Err(Error::MissingTensor {
            name: name.to_owned(),
            expected: shape.to_vec(),
            assumed: false,
        });
    };
    if tensor.shape != shape {
        return Err(Error::TensorShape {
            name: name.to_owned(),
            expected: shape.to_vec(),
            found: tensor.shape.clone(),
            assumed: false,
        });
    }
    Ok(name)
}

/// The names of a batch norm's tensors.
#[derive(Clone)]
struct Norm<'a> {
    weight: &'a str,
    bias: &'a str,
    mean: &'a str,
    variance: &'a str,
}

impl Norm<'_> {
    /// Scale and shift of each channel: `(x − mean) / √(variance + ε) · weight + bias`.
    fn read(&self, checkpoint: &Checkpoint) -> Result<Vec<[f32; 2]>> {
        let [weight, bias, mean, variance] =
            [self.weight, self.bias, self.mean, self.variance].map(|name| checkpoint.read_f32(name));
        let channels = weight?.into_iter().zip(bias?).zip(mean?.into_iter().zip(variance?));
        let affine = |((weight, bias), (mean, variance)): ((f32, f32), (f32, f32))| {
            let scale = f64::from(weight) / (f64::from(variance) + BATCH_NORM_EPS).sqrt();
            [scale as f32, (f64::from(bias) - f64::from(mean) * scale) as f32]
        };
        Ok(channels.map(affine).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_beside_one_another_hear_the_same_window_and_have_none_beside_them() {
        let beside = |other: LiteConfig| LiteConfig {
            beside: vec![other],
            ..LiteConfig::default()
        };
        let narrow = LiteConfig {
            highest_hz: 4_000,
            ..LiteConfig::default()
        };
        assert_eq!((LiteConfig::default().bins(), narrow.bins()), (257, 129));
        beside(narrow.clone()).validate().unwrap();

        let shorter = LiteConfig {
            window_samples: 32_000,
            ..LiteConfig::default()
        };
        let deaf = LiteConfig {
            highest_hz: 0,
            ..LiteConfig::default()
        };
        for (other, found) in [
            (shorter, "(\"window_samples\", 32000)"),
            (beside(narrow), "(\"beside\", 1)"),
            (deaf, "highest_hz is 0"),
        ] {
            let message = beside(other).validate().unwrap_err().to_string();
            assert!(message.contains(found), "{message}");
        }
    }
}
