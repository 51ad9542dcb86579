//! wav2vec2 in any shape, with the names of Hugging Face's parameters below `backbone.`.

use bonafide_export::Config;
use candle_core::{D, Result, Tensor, bail};

use super::weights::{Init, Parameter, Pass};
use super::{CLASSES, Cut};
use crate::ops::{self, Activation, Convolution};

/// Epsilon of the group norm after the first convolution, which no configuration changes.
const GROUP_NORM_EPS: f32 = 1e-5;
/// The standard deviation that weights begin with (`initializer_range` of wav2vec2).
const DEVIATION: f32 = 0.02;

/// The names of the top `layers` transformer layers, the encoder's layer norm and the head: what stage 2 trains.
pub(crate) fn is_top(config: &Config, layers: usize, name: &str) -> bool {
    let first = config.num_hidden_layers.saturating_sub(layers);
    let layer = name
        .strip_prefix("backbone.encoder.layers.")
        .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    layer.is_some_and(|layer| layer >= first) || is_encoder_norm(name) || is_head(name)
}

pub(crate) fn is_head(name: &str) -> bool {
    name.starts_with("classifier.")
}

pub(crate) fn is_encoder_norm(name: &str) -> bool {
    name.starts_with("backbone.encoder.layer_norm.")
}

pub(super) fn parameters(config: &Config) -> Vec<Parameter> {
    let mut all = Vec::new();
    let mut add = |name: String, shape: &[usize], init| all.push(Parameter::new(name, shape, init));
    let norm = |add: &mut dyn FnMut(String, &[usize], Init), name: String, size: usize| {
        add(format!("{name}.weight"), &[size], Init::Constant(1.0));
        add(format!("{name}.bias"), &[size], Init::Constant(0.0));
    };
    let linear = |add: &mut dyn FnMut(String, &[usize], Init), name: String, inputs: usize, outputs: usize, init| {
        add(format!("{name}.weight"), &[outputs, inputs], init);
        add(format!("{name}.bias"), &[outputs], Init::Constant(0.0));
    };

    let mut inputs = 1;
    for (i, (&outputs, &kernel)) in config.conv_dim.iter().zip(&config.conv_kernel).enumerate() {
        let layer = format!("backbone.feature_extractor.conv_layers.{i}");
        let fan_in = (inputs * kernel) as f32;
        add(
            format!("{layer}.conv.weight"),
            &[outputs, inputs, kernel],
            Init::Normal((2.0 / fan_in).sqrt()),
        );
        if config.conv_bias {
            add(
                format!("{layer}.conv.bias"),
                &[outputs],
                Init::Uniform(fan_in.sqrt().recip()),
            );
        }
        if i == 0 || config.feat_extract_norm == "layer" {
            norm(&mut add, format!("{layer}.layer_norm"), outputs);
        }
        inputs = outputs;
    }
    let size = config.hidden_size;
    norm(&mut add, "backbone.feature_projection.layer_norm".to_owned(), inputs);
    let bound = Init::Uniform((inputs as f32).sqrt().recip());
    linear(
        &mut add,
        "backbone.feature_projection.projection".to_owned(),
        inputs,
        size,
        bound,
    );

    let kernel = config.num_conv_pos_embeddings;
    let group = size / config.num_conv_pos_embedding_groups;
    let position = "backbone.encoder.pos_conv_embed.conv";
    let deviation = 2.0 / ((kernel * size) as f32).sqrt();
    // The magnitudes are those of the directions, as they are drawn: √(outputs · inputs) deviations.
    let magnitude = deviation * ((size * group) as f32).sqrt();
    add(
        format!("{position}.parametrizations.weight.original0"),
        &[1, 1, kernel],
        Init::Constant(magnitude),
    );
    add(
        format!("{position}.parametrizations.weight.original1"),
        &[size, group, kernel],
        Init::Normal(deviation),
    );
    add(format!("{position}.bias"), &[size], Init::Constant(0.0));
    norm(&mut add, "backbone.encoder.layer_norm".to_owned(), size);

    let init = Init::Normal(DEVIATION);
    for i in 0..config.num_hidden_layers {
        let layer = format!("backbone.encoder.layers.{i}");
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            linear(&mut add, format!("{layer}.attention.{part}"), size, size, init);
        }
        norm(&mut add, format!("{layer}.layer_norm"), size);
        let inner = config.intermediate_size;
        linear(
            &mut add,
            format!("{layer}.feed_forward.intermediate_dense"),
            size,
            inner,
            init,
        );
        linear(
            &mut add,
            format!("{layer}.feed_forward.output_dense"),
            inner,
            size,
            init,
        );
        norm(&mut add, format!("{layer}.final_layer_norm"), size);
    }
    // PyTorch's default for a linear layer.
    let bound = Init::Uniform((size as f32).sqrt().recip());
    add("classifier.weight".to_owned(), &[CLASSES, size], bound);
    add("classifier.bias".to_owned(), &[CLASSES], bound);
    all
}

pub(super) fn logits(config: &Config, pass: &Pass<'_>, batch: &Tensor, cut: Cut) -> Result<Tensor> {
    let network = Wav2vec2 { config, pass };
    let last = config.num_hidden_layers;
    let pooled = match cut {
        Cut::Pooled => batch.clone(),
        Cut::Layers(layers) => network.layers(batch, layers.min(last))?.mean(1)?,
        Cut::Positions => network.encode(batch)?.mean(1)?,
        Cut::Waveform => network
            .encode(&network.positions(&network.features(batch)?)?)?
            .mean(1)?,
    };
    pass.linear("classifier", &pooled)
}

struct Wav2vec2<'a> {
    config: &'a Config,
    pass: &'a Pass<'a>,
}

impl Wav2vec2<'_> {
    /// Convolutions over time, and a linear layer: `[batch, samples]` → `[batch, frames, hidden]`.
    fn features(&self, waveform: &Tensor) -> Result<Tensor> {
        let config = self.config;
        let (batch, samples) = waveform.dims2()?;
        let mut x = waveform.reshape((batch, 1, samples))?;
        for (i, &stride) in config.conv_stride.iter().enumerate() {
            let layer = format!("backbone.feature_extractor.conv_layers.{i}");
            x = self.convolve(&format!("{layer}.conv"), &x, stride, 0, 1)?;
            let name = format!("{layer}.layer_norm");
            if config.feat_extract_norm == "layer" {
                let rows = x.transpose(1, 2)?.contiguous()?;
                x = self
                    .pass
                    .layer_norm(&name, &rows, config.layer_norm_eps)?
                    .transpose(1, 2)?;
            } else if i == 0 {
                x = self.instance_norm(&name, &x)?;
            }
            x = ops::gelu(&x)?;
        }
        let rows = x.transpose(1, 2)?.contiguous()?;
        let name = "backbone.feature_projection";
        let normed = self
            .pass
            .layer_norm(&format!("{name}.layer_norm"), &rows, config.layer_norm_eps)?;
        self.pass.linear(&format!("{name}.projection"), &normed)
    }

    /// A group norm with as many groups as channels: each channel of each window is normalised over time.
    fn instance_norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, time) = x.dims3()?;
        let weight = self.pass.weight(&format!("{name}.weight"))?.repeat(batch)?;
        let bias = self.pass.weight(&format!("{name}.bias"))?.repeat(batch)?;
        let x = x.reshape((1, batch * channels, time))?;
        let (normed, _) = ops::batch_norm(&x, &weight, &bias, GROUP_NORM_EPS, Activation::None)?;
        normed.reshape((batch, channels, time))
    }

    /// `x [batch, inputs, time]` convolved over time.
    fn convolve(&self, name: &str, x: &Tensor, stride: usize, padding: usize, groups: usize) -> Result<Tensor> {
        let weight = self.pass.weight(&format!("{name}.weight"))?;
        self.convolve_with(name, weight, x, stride, padding, groups)
    }

    fn convolve_with(
        &self,
        name: &str,
        weight: &Tensor,
        x: &Tensor,
        stride: usize,
        padding: usize,
        groups: usize,
    ) -> Result<Tensor> {
        let how = Convolution {
            stride: [1, stride],
            padding: [0, padding],
            groups,
        };
        let out = ops::conv2d(&x.unsqueeze(2)?, &weight.unsqueeze(2)?, how)?.squeeze(2)?;
        match self.pass.optional(&format!("{name}.bias")) {
            Some(bias) => out.broadcast_add(&bias.reshape((1, (), 1))?),
            None => Ok(out),
        }
    }

    /// Adds the positional convolution of the input to it.
    fn positions(&self, x: &Tensor) -> Result<Tensor> {
        let name = "backbone.encoder.pos_conv_embed.conv";
        let magnitudes = self.pass.weight(&format!("{name}.parametrizations.weight.original0"))?;
        let directions = self.pass.weight(&format!("{name}.parametrizations.weight.original1"))?;
        let norms = directions.sqr()?.sum_keepdim((0, 1))?.sqrt()?;
        let weight = directions.broadcast_mul(&magnitudes.div(&norms)?)?;
        let kernel = self.config.num_conv_pos_embeddings;
        let groups = self.config.num_conv_pos_embedding_groups;
        let out = self.convolve_with(name, &weight, &x.transpose(1, 2)?, 1, kernel / 2, groups)?;
        // An even kernel with half its size as padding yields one frame too many.
        let frames = x.dim(1)?;
        let out = ops::gelu(&out.narrow(D::Minus1, 0, frames)?)?;
        x + out.transpose(1, 2)?
    }

    /// The encoder from the sum of features and positions to its last hidden state.
    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        if self.config.do_stable_layer_norm {
            return self.layers(x, 0);
        }
        self.layers(&self.norm("backbone.encoder.layer_norm", x)?, 0)
    }

    /// The transformer layers from `first` on, and the norm that follows them in a pre-norm network.
    fn layers(&self, x: &Tensor, first: usize) -> Result<Tensor> {
        if x.dims().len() != 3 {
            bail!("expected [batch, frames, hidden], found {:?}", x.shape());
        }
        let mut x = x.clone();
        for i in first..self.config.num_hidden_layers {
            x = self.layer(&x, &format!("backbone.encoder.layers.{i}"))?;
        }
        if self.config.do_stable_layer_norm {
            x = self.norm("backbone.encoder.layer_norm", &x)?;
        }
        Ok(x)
    }

    fn layer(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let (first, second) = (format!("{name}.layer_norm"), format!("{name}.final_layer_norm"));
        let attention = format!("{name}.attention");
        if self.config.do_stable_layer_norm {
            let x = (x + self.attention(&attention, &self.norm(&first, x)?)?)?;
            return &x + self.feed_forward(name, &self.norm(&second, &x)?)?;
        }
        let x = self.norm(&first, &(x + self.attention(&attention, x)?)?)?;
        self.norm(&second, &(&x + self.feed_forward(name, &x)?)?)
    }

    fn feed_forward(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let inner = self
            .pass
            .linear(&format!("{name}.feed_forward.intermediate_dense"), x)?;
        let inner = ops::gelu(&inner)?;
        self.pass.linear(&format!("{name}.feed_forward.output_dense"), &inner)
    }

    /// Multi-head self-attention over `[batch, frames, hidden]`.
    fn attention(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let (batch, frames, size) = x.dims3()?;
        let heads = self.config.num_attention_heads;
        let head_size = size / heads;
        let heads_of = |part: &str| -> Result<Tensor> {
            let x = self.pass.linear(&format!("{name}.{part}"), x)?;
            x.reshape((batch, frames, heads, head_size))?
                .transpose(1, 2)?
                .contiguous()
        };
        let query = (heads_of("q_proj")? * (head_size as f64).powf(-0.5))?;
        let scores = query.matmul(&heads_of("k_proj")?.t()?)?;
        let context = ops::softmax(&scores)?.matmul(&heads_of("v_proj")?)?;
        let context = context.transpose(1, 2)?.contiguous()?.reshape((batch, frames, size))?;
        self.pass.linear(&format!("{name}.out_proj"), &context)
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        self.pass.layer_norm(name, x, self.config.layer_norm_eps)
    }
}
