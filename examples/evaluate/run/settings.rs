//! What a run's scores depend on, kept in `run.json`: a run is resumed, and shards are merged, only where it agrees.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Arguments;
use crate::datasets::Corpus;
use crate::failure::{Failure, Result};

pub(crate) const FILE: &str = "run.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) dataset: String,
    pub(crate) partition: String,
    /// Trials in the whole list.
    pub(crate) listed: usize,
    /// Of the whole list: utterances and keys.
    pub(crate) list_sha256: String,
    pub(crate) limit: Option<u64>,
    /// K and N.
    pub(crate) shard: Option<(usize, usize)>,
    pub(crate) model_sha256: String,
    pub(crate) windows: String,
    pub(crate) trim_silence: bool,
}

impl Settings {
    pub(super) fn new(arguments: &Arguments, model: &Path, corpus: &Corpus) -> Result<Self> {
        let mut list = Sha256::new();
        for trial in &corpus.trials {
            list.update(format!("{} {}\n", trial.utterance, trial.label));
        }
        let partition = arguments.partition.as_deref();
        Ok(Self {
            dataset: arguments.dataset.name(),
            partition: partition.unwrap_or(arguments.dataset.default_partition()).to_owned(),
            listed: corpus.trials.len(),
            list_sha256: hex(&list.finalize()),
            limit: arguments.limit,
            shard: arguments.shard,
            model_sha256: sha256(model)?,
            windows: arguments.windows.name().to_owned(),
            trim_silence: arguments.trim_silence,
        })
    }

    /// The settings of the run in a folder, if there is one.
    pub(crate) fn of(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Failure::file("read", &path))?,
        };
        let settings = serde_json::from_str(&text);
        settings.map(Some).map_err(|error| {
            Failure::Failed(format!(
                "{} is not what a run wrote ({error}); use another --out",
                path.display()
            ))
        })
    }

    /// Makes the folder this run's, until the file that is returned is closed.
    pub(super) fn claim(&self, folder: &Path, resume: bool) -> Result<File> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(&path).map_err(Failure::file("open", &path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let folder = folder.display();
                return Err(Failure::Failed(format!(
                    "another run is writing to {folder}; use another --out"
                )));
            }
            // Where files can't be locked, nobody is kept out.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(Failure::file("read", &path))?;
        if text.is_empty() {
            if folder.join("scores.txt").exists() {
                let folder = folder.display();
                return Err(Failure::Usage(format!(
                    "{folder} holds scores of unknown origin; use another --out"
                )));
            }
            let text = serde_json::to_string_pretty(self).map_err(|error| Failure::Failed(error.to_string()))?;
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            return match written {
                Ok(()) => Ok(file),
                Err(error) => {
                    // Half of it would be of no run, and keep this one from being resumed.
                    let _ = file.set_len(0);
                    Err(Failure::file("write", &path)(error))
                }
            };
        }
        if !resume {
            let folder = folder.display();
            return Err(Failure::Usage(format!(
                "{folder} holds a run already; go on with it with --resume, or use another --out"
            )));
        }
        match Self::of(folder)? {
            Some(settings) if settings == *self => Ok(file),
            _ => Err(Failure::Failed(format!(
                "{} is of a run with another list, model or settings, whose scores can't be mixed with this run's; use \
                 another --out",
                path.display()
            ))),
        }
    }
}

/// The SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> Result<String> {
    let failed = Failure::file("read", path);
    let mut file = File::open(path).map_err(&failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(&failed)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
