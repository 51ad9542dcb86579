//! Lists of clips: ASVspoof 2019 LA's protocol with its audio folder, or a TSV with a header.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bonafide::Label;

use crate::{Error, Result};

/// A clip of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// The audio file.
    pub path: PathBuf,
    /// Its label.
    pub label: Label,
    /// What made it: an attack, an engine or a corpus; `-` where unknown.
    pub source: String,
    /// Who speaks; `-` where unknown.
    pub speaker: String,
    /// Which recording it is, or was made from; `-` where unknown.
    pub recording: String,
}

/// Reads a list of either form, told apart by its first line: a TSV's names the columns `file` and `label` (and perhaps
/// `source`, `speaker` and `recording`, in any order, among others); a protocol's has five fields, `speaker id - attack label`.
///
/// Files of a TSV are relative to `audio`, or else to the list's folder. Those of a protocol are `id.flac` in `audio`,
/// or else in the folder `ASVspoof2019_LA_{train,dev,eval}/flac` that belongs to the list.
///
/// # Errors
///
/// [`Error::Read`] if the list can't be read, [`Error::List`] if a line is not as it should be, and [`Error::Data`] if
/// there are no clips, or only of one label.
pub fn read(list: &Path, audio: Option<&Path>) -> Result<Vec<Clip>> {
    let text = std::fs::read_to_string(list).map_err(Error::read(list))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let first = text.lines().next().unwrap_or_default();
    let header: Vec<String> = first.split('\t').map(|name| name.trim().to_lowercase()).collect();
    let clips = if header.iter().any(|name| name == "file") {
        tsv(list, text, &header, audio)?
    } else {
        protocol(list, text, audio)?
    };
    for label in [Label::Bonafide, Label::Spoof] {
        if !clips.iter().any(|clip| clip.label == label) {
            return Err(Error::Data {
                path: list.to_owned(),
                fault: format!("none of its {} clips is {label}; both labels are needed", clips.len()),
            });
        }
    }
    let mut seen = HashSet::new();
    if let Some(twice) = clips.iter().find(|clip| !seen.insert(&clip.path)) {
        return Err(Error::Data {
            path: list.to_owned(),
            fault: format!("{} is in it twice", twice.path.display()),
        });
    }
    Ok(clips)
}

/// Lines of `text` that are not blank, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

fn label(text: &str) -> Option<Label> {
    match text.to_lowercase().as_str() {
        "bonafide" | "bona-fide" => Some(Label::Bonafide),
        "spoof" => Some(Label::Spoof),
        _ => None,
    }
}

fn tsv(list: &Path, text: &str, header: &[String], audio: Option<&Path>) -> Result<Vec<Clip>> {
    let fault = |line, fault: String| Error::List {
        path: list.to_owned(),
        line,
        fault,
    };
    let column = |name: &str| header.iter().position(|column| column == name);
    let required =
        |name: &str| column(name).ok_or_else(|| fault(1, format!("no column `{name}`, found {}", header.join(", "))));
    let (file, label_column) = (required("file")?, required("label")?);
    let (source, speaker, recording) = (column("source"), column("speaker"), column("recording"));
    let root = audio.or(list.parent()).unwrap_or(Path::new(""));
    let row = |(line, text): (usize, &str)| {
        let fields: Vec<&str> = text.split('\t').map(str::trim).collect();
        let field = |column: Option<usize>| column.and_then(|column| fields.get(column)).copied();
        let named = |column| match field(column) {
            None | Some("") => "-".to_owned(),
            Some(text) => text.to_owned(),
        };
        let (Some(path), Some(label_text)) = (field(Some(file)), field(Some(label_column))) else {
            return Err(fault(
                line,
                format!("{} columns, expected {}", fields.len(), header.len()),
            ));
        };
        if path.is_empty() {
            return Err(fault(line, "no file".to_owned()));
        }
        Ok(Clip {
            path: root.join(path),
            label: label(label_text)
                .ok_or_else(|| fault(line, format!("label `{label_text}`, expected bonafide or spoof")))?,
            source: named(source),
            speaker: named(speaker),
            recording: named(recording),
        })
    };
    lines(text).skip(1).map(row).collect()
}

fn protocol(list: &Path, text: &str, audio: Option<&Path>) -> Result<Vec<Clip>> {
    let folder = audio.map_or_else(|| protocol_folder(list), Path::to_owned);
    let row = |(line, text): (usize, &str)| {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let &[speaker, id, _, attack, label_text] = fields.as_slice() else {
            let found = fields.len();
            return Err(Error::List {
                path: list.to_owned(),
                line,
                fault: format!(
                    "{found} fields, expected the 5 of a protocol (speaker id - attack label); a TSV's first line \
                     names `file` and `label`"
                ),
            });
        };
        Ok(Clip {
            path: folder.join(format!("{id}.flac")),
            label: label(label_text).ok_or_else(|| Error::List {
                path: list.to_owned(),
                line,
                fault: format!("label `{label_text}`, expected bonafide or spoof"),
            })?,
            source: attack.to_owned(),
            speaker: speaker.to_owned(),
            recording: "-".to_owned(),
        })
    };
    lines(text).map(row).collect()
}

/// Where the official archive has the audio of a protocol: beside the protocols' folder.
fn protocol_folder(list: &Path) -> PathBuf {
    let name = list.file_name().unwrap_or_default().to_string_lossy();
    let part = ["train", "dev", "eval"]
        .into_iter()
        .find(|part| name.contains(&format!(".{part}.")));
    let root = list.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    root.join(format!("ASVspoof2019_LA_{}", part.unwrap_or("train")))
        .join("flac")
}
