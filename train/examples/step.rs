//! Times optimisation steps without their data: what a shape costs on this machine.
//!
//! `cargo run --release -p bonafide-train --example step -- config.json 16`: the shape, and windows in a batch. A wav2vec2
//! is trained as in stage 2 with its frozen part cached, the small network as a whole.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "an example shows the way and not the errors")]

use std::path::Path;
use std::time::Instant;

use bonafide_train::{AdamW, Cut, Network, Pass, cross_entropy};
use candle_core::{Device, Tensor};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let config = arguments
        .next()
        .expect("first argument: a config.json, as train/lite.json");
    let batch: usize = arguments.next().map_or(16, |number| number.parse().unwrap());
    let (network, _) = Network::read(Path::new(&config)).unwrap();
    let mut weights = network.begin(&mut ChaCha8Rng::seed_from_u64(1)).unwrap();

    let (shape, cut) = match &network {
        Network::Wav2vec2(config) => {
            let frozen = config.num_hidden_layers.saturating_sub(2);
            let first = format!("backbone.encoder.layers.{frozen}.");
            let second = format!("backbone.encoder.layers.{}.", frozen + 1);
            let is_top = |name: &str| [&first, &second].iter().any(|prefix| name.starts_with(*prefix));
            weights
                .train(|name| is_top(name) || name.starts_with("classifier."))
                .unwrap();
            (
                vec![batch, config.frames(64_000), config.hidden_size],
                Cut::Layers(frozen),
            )
        }
        _ => (vec![batch, network.window_samples()], Cut::Waveform),
    };
    let x = Tensor::randn(0.0_f32, 0.3, shape, &Device::Cpu).unwrap();
    let targets: Vec<[f32; 2]> = (0..batch)
        .map(|n| if n % 2 == 0 { [1.0, 0.0] } else { [0.0, 1.0] })
        .collect();
    println!("{} parameters", weights.trained_count());
    let mut optimiser = AdamW::new(0.01);
    for _ in 0..6 {
        let start = Instant::now();
        let pass = Pass::training(&weights, ChaCha8Rng::seed_from_u64(2));
        let logits = network.logits(&pass, &x, cut).unwrap();
        let loss = cross_entropy(&logits, &targets, [1.0, 1.0]).unwrap();
        let forward = start.elapsed().as_secs_f64();
        optimiser.descend(&weights, &loss, 1.0, 1e-4).unwrap();
        let all = start.elapsed().as_secs_f64();
        println!(
            "forward {forward:.3} s, step {all:.3} s, {:.1} windows/s",
            batch as f64 / all
        );
    }
}
