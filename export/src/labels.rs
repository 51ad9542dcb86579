//! Which of two classes is spoof, by what their names mean.

use std::fmt;

/// The index of spoof among the checkpoint's two classes, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labels {
    /// 0 or 1: the row of the checkpoint's classifier that is spoof. The other one is bona fide.
    pub spoof_index: usize,
    /// How it is known.
    pub source: LabelSource,
}

/// How the order of the classes is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelSource {
    /// The layout is always so.
    Layout,
    /// The names of class 0 and 1 in `config.json`.
    Names([String; 2]),
    /// [`Options::spoof_index`](crate::Options::spoof_index).
    Given,
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = ["spoof, bona fide", "bona fide, spoof"][self.spoof_index.min(1)];
        match &self.source {
            LabelSource::Layout => write!(f, "{order} (as this layout always has them)"),
            LabelSource::Names([first, second]) => write!(f, "{order} (named {first}, {second})"),
            LabelSource::Given => write!(f, "{order} (as given)"),
        }
    }
}

/// What a class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Bonafide,
    Spoof,
}

const SPOOF: [&str; 23] = [
    "spoof",
    "spoofed",
    "spoofing",
    "fake",
    "faked",
    "deepfake",
    "synthetic",
    "synthesized",
    "synthesised",
    "synthesis",
    "ai",
    "generated",
    "artificial",
    "machine",
    "robot",
    "tts",
    "vc",
    "vocoded",
    "clone",
    "cloned",
    "converted",
    "forged",
    "manipulated",
];
const BONAFIDE: [&str; 9] = [
    "bonafide",
    "bona",
    "fide",
    "real",
    "human",
    "genuine",
    "authentic",
    "natural",
    "original",
];
/// Words that say nothing about which class it is.
const FILLERS: [&str; 12] = [
    "voice",
    "voices",
    "audio",
    "speech",
    "speaker",
    "clip",
    "sample",
    "recording",
    "utterance",
    "sound",
    "deep",
    "class",
];
const NEGATIONS: [&str; 3] = ["not", "non", "no"];

/// The index of spoof among two named classes, if the names are clear: each has a meaning, and they differ.
pub(crate) fn spoof_index([first, second]: [&str; 2]) -> Option<usize> {
    match (class(first)?, class(second)?) {
        (Class::Spoof, Class::Bonafide) => Some(0),
        (Class::Bonafide, Class::Spoof) => Some(1),
        _ => None,
    }
}

/// What a name means, if every word of it is known and they don't contradict each other.
fn class(name: &str) -> Option<Class> {
    let mut found = None;
    let mut negated = false;
    for word in words(name) {
        let class = if SPOOF.contains(&word.as_str()) {
            Class::Spoof
        } else if BONAFIDE.contains(&word.as_str()) {
            Class::Bonafide
        } else if NEGATIONS.contains(&word.as_str()) && found.is_none() && !negated {
            negated = true;
            continue;
        } else if FILLERS.contains(&word.as_str()) {
            continue;
        } else {
            return None;
        };
        if found.is_some_and(|found| found != class) {
            return None;
        }
        found = Some(class);
    }
    match (found?, negated) {
        (Class::Spoof, false) | (Class::Bonafide, true) => Some(Class::Spoof),
        (Class::Bonafide, false) | (Class::Spoof, true) => Some(Class::Bonafide),
    }
}

/// The words of a name in lower case: `AIVoice`, `ai-voice`, `AI_voice` and `aivoice` are all `ai`, `voice`.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut inside = false;
    for (i, &letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            inside = false;
            continue;
        }
        // A capital starts a word after a small letter, and as the last of several before a small letter.
        let before = i.checked_sub(1).map(|i| letters[i]);
        let after = letters.get(i + 1);
        let capital = letter.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || before.is_some_and(char::is_uppercase) && after.is_some_and(|c| c.is_lowercase()));
        if !inside || capital {
            words.push(String::new());
        }
        inside = true;
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words.into_iter().flat_map(split_filler).collect()
}

/// `humanvoice` → `human`, `voice`.
fn split_filler(word: String) -> Vec<String> {
    let known = |word: &str| {
        [&SPOOF[..], &BONAFIDE, &FILLERS]
            .iter()
            .any(|list| list.contains(&word))
    };
    if !known(&word)
        && let Some((meaning, filler)) = FILLERS
            .iter()
            .find_map(|filler| Some((word.strip_suffix(filler)?, *filler)))
        && known(meaning)
    {
        return vec![meaning.to_owned(), filler.to_owned()];
    }
    vec![word]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_meaning() {
        for (first, second) in [
            ("fake", "real"),
            ("spoof", "bonafide"),
            ("Spoof", "bona-fide"),
            ("SPOOF", "Bona Fide"),
            ("AIVoice", "HumanVoice"),
            ("aivoice", "humanvoice"),
            ("AI_generated", "human"),
            ("ai-generated speech", "natural speech"),
            ("DeepFake", "Genuine"),
            ("deepfake_audio", "authentic_audio"),
            ("synthetic", "original"),
            ("TTS", "not fake"),
            ("cloned", "non-spoof"),
            ("non_human", "human"),
        ] {
            assert_eq!(spoof_index([first, second]), Some(0), "{first}, {second}");
            assert_eq!(spoof_index([second, first]), Some(1), "{second}, {first}");
        }
    }

    #[test]
    fn unclear_names_are_not_guessed() {
        for (first, second) in [
            ("LABEL_0", "LABEL_1"),
            ("0", "1"),
            ("", "real"),
            ("unreal", "real"),
            ("fake", "fake"),
            ("real", "human"),
            ("fake", "not real"),
            ("synthetic human", "human"),
            ("surreal", "real"),
            ("fakery", "real"),
            ("true", "false"),
            ("negative", "positive"),
            ("not", "real"),
            ("fake not", "real"),
            ("not not fake", "fake"),
            ("voice", "fake"),
            ("male", "female"),
        ] {
            assert_eq!(spoof_index([first, second]), None, "{first}, {second}");
            assert_eq!(spoof_index([second, first]), None, "{second}, {first}");
        }
    }
}
