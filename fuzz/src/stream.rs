//! A clip that comes in pieces scores as it does in one.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use arbitrary::{Arbitrary, Result, Unstructured};
use bonafide::{Audio, Detector, Runtime, SAMPLE_RATE, Tail};
use bonafide_export::{Options, export};

/// A tenth of a second, so that short clips have many windows.
const WINDOW: usize = 1_600;
/// The longest clip.
const MOST_FRAMES: usize = 20_000;

#[derive(Debug)]
struct Case {
    tail: Tail,
    hop: usize,
    /// None: the model's rate, mono.
    format: Option<(u32, u16)>,
    samples: Vec<f32>,
    pieces: Vec<NonZeroUsize>,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let tail = *u.choose(&[Tail::Pad, Tail::PadIfNeeded, Tail::Drop])?;
        let hop = *u.choose(&[WINDOW / 2, WINDOW, 400, 2_500])?;
        let rate = *u.choose(&[0, SAMPLE_RATE, 8_000, 11_025, 22_050, 44_100, 48_000])?;
        let format = (rate > 0).then_some((rate, u.int_in_range(1..=3)?));
        let mut pieces = Vec::new();
        for _ in 0..u.int_in_range(1..=8)? {
            let scale = *u.choose(&[1, 16, 200])?;
            pieces.push(NonZeroUsize::new(u.int_in_range(1..=100)? * scale).expect("from one"));
        }
        let repeat = u.int_in_range(1..=64)?;
        let floats = format.is_none() && u.ratio(1, 4)?;
        let rest = u.bytes(u.len())?;
        let some: Vec<f32> = if floats {
            let (numbers, _) = rest.as_chunks();
            numbers.iter().map(|&number| f32::from_le_bytes(number)).collect()
        } else {
            // Louder than full scale in parts, as decoders may be.
            let (numbers, _) = rest.as_chunks();
            numbers
                .iter()
                .map(|&number| f32::from(i16::from_le_bytes(number)) / 20_000.0)
                .collect()
        };
        let most = MOST_FRAMES * format.map_or(1, |(_, channels)| usize::from(channels));
        Ok(Self {
            tail,
            hop,
            format,
            samples: some
                .iter()
                .copied()
                .cycle()
                .take((some.len() * repeat).min(most))
                .collect(),
            pieces,
        })
    }
}

pub fn stream(data: &[u8]) {
    let Ok(case) = Unstructured::new(data).arbitrary::<Case>() else {
        return;
    };
    let detector = detector(case.tail, case.hop);
    let whole = match case.format {
        None => detector.score(&case.samples),
        Some((sample_rate, channels)) => {
            let samples = case.samples.clone();
            let clip = Audio {
                samples,
                sample_rate,
                channels,
            };
            clip.to_model_input().and_then(|samples| detector.score(&samples))
        }
    };
    let mut stream = match case.format {
        None => detector.stream(),
        Some((rate, channels)) => detector.stream_of(rate, channels).unwrap(),
    };

    let mut rest = case.samples.as_slice();
    let mut windows = Vec::new();
    for piece in case.pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(piece.get().min(rest.len()));
        match stream.push(now) {
            Ok(scored) => windows.extend_from_slice(scored),
            Err(error) => {
                // Samples that can't be scored are refused either way; a clip that is too short is told to be so first.
                assert!(whole.is_err(), "{error} in pieces, and as a whole {whole:?}");
                return;
            }
        }
        rest = later;
    }
    match (stream.finish(), whole) {
        (Ok(pieces), Ok(whole)) => {
            assert_eq!(pieces, whole);
            assert_eq!(windows, pieces.windows[..windows.len()]);
            assert!(
                pieces.windows.len() - windows.len() <= 1 || case.format.is_some(),
                "only padding is left to the end"
            );
            assert!((0.0..=1.0).contains(&pieces.spoof_probability) && pieces.llr.is_finite());
        }
        (Err(pieces), Err(whole)) => assert_eq!(pieces.to_string(), whole.to_string()),
        (pieces, whole) => panic!("in pieces {pieces:?}, as a whole {whole:?}"),
    }
    assert!(stream.score().is_none(), "ready for another clip");
}

/// A detector for each setting, of a small model with a short window.
fn detector(tail: Tail, hop: usize) -> Detector {
    static MODEL: LazyLock<Vec<u8>> = LazyLock::new(model);
    static DETECTORS: LazyLock<Mutex<HashMap<(u8, usize), Detector>>> = LazyLock::new(Mutex::default);
    let mut detectors = DETECTORS.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let builder = Detector::builder().model_bytes(MODEL.as_slice()).runtime(Runtime::Rten);
        builder.tail(tail).hop(hop).intra_threads(1).build().unwrap()
    };
    detectors.entry((tail as u8, hop)).or_insert_with(build).clone()
}

fn model() -> Vec<u8> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/lite");
    let folder = tempfile::tempdir().unwrap();
    let config = std::fs::read(fixture.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    config["window_samples"] = WINDOW.into();
    let mut options = Options::default();
    options.config = Some(folder.path().join("config.json"));
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let out = folder.path().join("model.onnx");
    export(fixture.join("model.safetensors"), &out, &options, &mut |_| {}).unwrap();
    std::fs::read(out).unwrap()
}
