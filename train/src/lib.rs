//! Trains anti-spoofing networks on the processor, without Python: the reference's two-stage fine-tuning of wav2vec2, and
//! small networks from scratch.
//!
//! ```no_run
//! use bonafide_train::{Settings, Stage, train};
//!
//! let mut settings = Settings::new(Stage::Stage1, "train.tsv".into(), "dev.tsv".into(), "runs/stage1".into());
//! settings.from = Some("facebook-wav2vec2-base".into());
//! let report = train(&settings)?;
//! println!("EER {:.2} %", 100.0 * report.best_eer);
//! # Ok::<(), bonafide_train::Error>(())
//! ```
//!
//! A run leaves `best/`, a checkpoint that `bonafide-export` reads, `log.jsonl`, `curves.svg`, and the state from which it
//! goes on after an interruption. The README says how to choose data and settings.

mod augment;
mod average;
mod cache;
mod checkpoint;
mod clips;
mod curves;
mod digest;
mod error;
mod files;
mod frozen;
mod join;
mod list;
mod log;
mod narrow;
mod network;
mod ops;
#[cfg(test)]
mod parity;
mod parts;
mod recipe;
mod run;
mod settings;
mod source;
mod state;
mod step;

pub use augment::{Augment, Pool, Recordings};
pub use average::average;
pub use clips::{Clips, Reading};
pub use error::{Error, Result};
pub use join::join;
pub use list::{Clip, read as read_list};
pub use log::Epoch;
pub use narrow::narrow;
pub use network::{Cut, Network, Pass, Weights};
pub use recipe::{AdamW, Schedule, class_weights, cross_entropy};
pub use run::{Report, train};
pub use settings::{Augmentation, Balance, Best, Settings, Stage};
