//! wip
mod error;
mod ops;
pub use error::{Error, Result};
