//! The activations that a network may name.

/// An activation function, applied to each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x / 2 · (1 + erf(x / √2))`
    Gelu,
    /// `x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 x³)))`
    GeluTanh,
    /// `x · sigmoid(1.702 x)`
    QuickGelu,
    /// `max(x, 0)`
    Relu,
    /// `x · sigmoid(x)`
    Silu,
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
}

/// The names that `transformers` gives them in `config.json`. Those of one function differ only in how it is rounded.
const NAMES: [(&str, Activation); 13] = [
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu_accurate", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_python_tanh", Activation::GeluTanh),
    ("quick_gelu", Activation::QuickGelu),
    ("relu", Activation::Relu),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
];

impl Activation {
    /// The activation that `config.json` calls so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, activation)| activation)
    }

    /// All names, for a message.
    pub(crate) fn names() -> String {
        let names: Vec<&str> = NAMES.iter().map(|&(name, _)| name).collect();
        format!("one of {}", names.join(", "))
    }
}
