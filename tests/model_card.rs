//! The tables of the default model's card are what `models/lite.json` says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A row's name, and what `train/card.py` calls its set.
const ENGINES: [(&str, &str); 9] = [
    ("engines of training, voices never heard", "engines of training"),
    ("– of these HiFi-GAN, MelGAN and FARGAN", "GAN vocoders of training"),
    ("– of these Kokoro (StyleTTS 2)", "kokoro"),
    ("neural engines never heard", "neural engines never heard"),
    ("– Piper (VITS)", "piper"),
    ("– LPCNet", "lpcnet"),
    (
        "HMM and unit selection never heard",
        "HMM and unit selection never heard",
    ),
    ("– HTS", "festival-hts"),
    ("– unit selection", "festival-clunits"),
];
const VOCODERS: [(&str, &str); 3] = [
    ("all", "all"),
    ("FastSpeech 2 and its vocoders", "fastspeech2"),
    ("neural source-filter vocoders", "nsf"),
];

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
    fs::read_to_string(path).unwrap()
}

/// `| row | trials | EER (interval) | …`, an EER for each condition.
fn row(figures: &Value, name: &str, set: &str, conditions: &[&str]) -> String {
    let find = |condition: &&str| {
        let called = format!("{set}, {condition}");
        let mut sets = figures["sets"].as_array().unwrap().iter();
        sets.find(|found| found["name"] == called)
            .unwrap_or_else(|| panic!("lite.json has no {called:?}"))
    };
    let sets: Vec<&Value> = conditions.iter().map(find).collect();
    let percent = |rate: &Value| format!("{:.1}", 100.0 * rate.as_f64().unwrap());
    let eer = |set: &&Value| {
        let (low, high) = (percent(&set["eer_ci95"][0]), percent(&set["eer_ci95"][1]));
        format!(" {} % ({low}–{high}) |", percent(&set["eer"]))
    };
    let eers: String = sets.iter().map(eer).collect();
    format!("| {name} | {} |{eers}", sets[0]["spoof"])
}

#[test]
fn the_cards_tables_are_the_figures() {
    let (card, figures) = (read("README.md"), read("lite.json"));
    let figures = serde_json::from_str(&figures).unwrap();
    let engines = ENGINES.map(|(name, set)| row(&figures, name, set, &["clean", "telephone", "codecs"]));
    let vocoders = VOCODERS.map(|(name, set)| row(&figures, name, set, &["vocoders"]));
    for table in [&engines[..], &vocoders[..]] {
        let table = table.join("\n");
        assert!(
            card.contains(&table),
            "models/README.md does not have these rows:\n{table}"
        );
    }
}
