//! The data sets: which clips there are, where, and what is known of each.

mod asvspoof2019;
mod asvspoof2021;
mod asvspoof5;
mod in_the_wild;
mod list;
mod wavefake;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bonafide::Label;
use clap::ValueEnum;

use crate::failure::{Failure, Result};

/// A data set whose layout is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dataset {
    /// ASVspoof 2019 logical access; partitions train, dev and eval (default)
    #[value(name = "asvspoof2019-la")]
    Asvspoof2019La,
    /// ASVspoof 2021 logical access; partitions progress, eval (default), hidden and all
    #[value(name = "asvspoof2021-la")]
    Asvspoof2021La,
    /// ASVspoof 2021 deepfake; partitions progress, eval (default), hidden and all
    #[value(name = "asvspoof2021-df")]
    Asvspoof2021Df,
    /// ASVspoof 5, track 1; partitions train, dev and eval (default)
    #[value(name = "asvspoof5")]
    Asvspoof5,
    /// WaveFake beside LJSpeech and JSUT; partitions original (a sample: 1,500 LJSpeech, 1,000 of each of nine
    /// vocoders; default) and full
    #[value(name = "wavefake")]
    Wavefake,
    /// In-the-Wild
    #[value(name = "in-the-wild")]
    InTheWild,
    /// Your own: a TSV with a header that names `file` and `label`, and may name `speaker`, `source`, `attack`, …; the
    /// root is that file, or a folder with `labels.tsv`, `list.tsv` or the partition's `NAME.tsv`
    #[value(name = "list")]
    List,
}

/// The clips of a data set.
#[derive(Debug)]
pub(crate) struct Corpus {
    /// What is known of every trial, in lower case: `attack`, `codec`, …, and `speaker` where known.
    pub(crate) columns: Vec<String>,
    pub(crate) trials: Vec<Trial>,
}

/// A clip of a data set.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// Its name in score files: unique, and without white space.
    pub(crate) utterance: String,
    pub(crate) path: PathBuf,
    pub(crate) label: Label,
    /// The official format's second column; `-` for bona fide trials.
    pub(crate) attack: String,
    /// One for each of the corpus's columns.
    pub(crate) values: Vec<String>,
}

impl Dataset {
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Reads the lists below `root`. The list decides which clips there are, whatever else the folders hold.
    pub(crate) fn read(self, root: &Path, partition: Option<&str>) -> Result<Corpus> {
        let corpus = match self {
            Self::Asvspoof2019La => asvspoof2019::read(root, choose(partition, &["eval", "dev", "train"])?),
            Self::Asvspoof2021La => asvspoof2021::read_la(root, choose(partition, &asvspoof2021::PARTITIONS)?),
            Self::Asvspoof2021Df => asvspoof2021::read_df(root, choose(partition, &asvspoof2021::PARTITIONS)?),
            Self::Asvspoof5 => asvspoof5::read(root, choose(partition, &["eval", "dev", "train"])?),
            Self::Wavefake => wavefake::read(root, choose(partition, &["original", "full"])?),
            Self::InTheWild => {
                choose(partition, &["all"])?;
                in_the_wild::read(root)
            }
            Self::List => list::read(root, partition),
        }?;
        if corpus.trials.is_empty() {
            let root = root.display();
            return Err(Failure::Failed(format!("{} has no trials in {root}", self.name())));
        }
        Ok(corpus)
    }

    /// The partition that is read if none is given; empty where there are none.
    pub(crate) fn default_partition(self) -> &'static str {
        match self {
            Self::Asvspoof2019La | Self::Asvspoof2021La | Self::Asvspoof2021Df | Self::Asvspoof5 => "eval",
            Self::Wavefake => "original",
            Self::InTheWild | Self::List => "",
        }
    }
}

/// One of the partitions; the first by default.
fn choose<'a>(partition: Option<&str>, partitions: &[&'a str]) -> Result<&'a str> {
    let Some(asked) = partition else {
        return Ok(partitions[0]);
    };
    let found = partitions.iter().find(|partition| **partition == asked);
    found.copied().ok_or_else(|| {
        let expected = partitions.join(", ");
        Failure::Usage(format!("there is no partition {asked:?}; expected one of {expected}"))
    })
}

/// The first of `candidates` below `root` that exists.
fn find(root: &Path, what: &str, candidates: &[String]) -> Result<PathBuf> {
    let found = candidates
        .iter()
        .map(|candidate| root.join(candidate))
        .find(|path| path.exists());
    found.ok_or_else(|| {
        let tried: String = candidates.iter().map(|candidate| format!("\n  {candidate}")).collect();
        Failure::Failed(format!("found no {what} in {}; tried{tried}", root.display()))
    })
}

/// The first of `folders` that has the file. If none has it, where it should be: it is reported as missing later.
fn audio(folders: &[PathBuf], name: &str) -> PathBuf {
    let mut paths = folders.iter().map(|folder| folder.join(name));
    match paths.len() {
        1 => paths.next(),
        _ => paths
            .find(|path| path.is_file())
            .or_else(|| folders.first().map(|folder| folder.join(name))),
    }
    .unwrap_or_else(|| PathBuf::from(name))
}

/// Those of `candidates` that exist below `root`, or the first if none does.
fn folders(root: &Path, candidates: &[String]) -> Vec<PathBuf> {
    let paths = candidates.iter().map(|candidate| root.join(candidate));
    let mut found: Vec<PathBuf> = paths.clone().filter(|path| path.is_dir()).collect();
    if found.is_empty() {
        found.extend(paths.take(1));
    }
    found
}

/// Reads a protocol: rows of `N` fields separated by white space. `trial` makes a trial of a row, or none if it belongs
/// to another partition; what it says is wrong with a row is reported with file and line.
fn protocol<const N: usize>(
    path: &Path,
    columns: [&str; N],
    mut trial: impl FnMut([&str; N]) -> Result<Option<Trial>, String>,
) -> Result<Vec<Trial>> {
    let text = fs::read_to_string(path).map_err(Failure::file("read", path))?;
    let mut trials = Trials::new(path);
    for (line, text) in (1..).zip(text.lines()) {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.is_empty() {
            continue;
        }
        let fields: [&str; N] = fields.try_into().map_err(|fields: Vec<&str>| {
            let (names, found) = (columns.join(" "), fields.len());
            Failure::at(path, line, format!("expected {N} columns ({names}), found {found}"))
        })?;
        if let Some(trial) = trial(fields).map_err(|fault| Failure::at(path, line, fault))? {
            trials.push(line, trial)?;
        }
    }
    Ok(trials.trials)
}

/// The trials of a list, no utterance twice.
struct Trials<'a> {
    path: &'a Path,
    trials: Vec<Trial>,
    lines: HashMap<String, u64>,
}

impl<'a> Trials<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            trials: Vec::new(),
            lines: HashMap::new(),
        }
    }

    fn push(&mut self, line: u64, trial: Trial) -> Result<()> {
        if let Some(first) = self.lines.insert(trial.utterance.clone(), line) {
            let fault = format!("{} is a duplicate of line {first}", trial.utterance);
            return Err(Failure::at(self.path, line, fault));
        }
        self.trials.push(trial);
        Ok(())
    }
}

/// A name as score files can hold it, whose columns are separated by white space.
fn token(name: &str) -> String {
    if name.is_empty() {
        return "-".to_owned();
    }
    name.chars()
        .map(|c| {
            if c.is_whitespace() {
                "%20".to_owned()
            } else {
                c.to_string()
            }
        })
        .collect()
}

/// `count` of the items, spread evenly, in their order: the same ones every time. All if there are no more.
pub(crate) fn evenly<T>(items: Vec<T>, count: usize) -> Vec<T> {
    let total = items.len();
    if count >= total {
        return items;
    }
    let mut taken = 0;
    let mut index = 0;
    items
        .into_iter()
        .filter(|_| {
            // The k-th is the item ⌊k · total / count⌋.
            let wanted = taken < count && index == (taken as u128 * total as u128 / count as u128) as usize;
            taken += usize::from(wanted);
            index += 1;
            wanted
        })
        .collect()
}

/// Names of columns as owned strings.
fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|&name| name.to_owned()).collect()
}

/// Values of columns as owned strings.
fn values(values: &[&str]) -> Vec<String> {
    names(values)
}
