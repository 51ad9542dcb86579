//! Why the program stops.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::text::printable;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense: exit code 2.
    Usage(String),
    /// What was asked for could not be done.
    Failed(String),
    /// Standard output could not be written to.
    Output(io::Error),
}

impl Failure {
    /// A file that can't be written, for `map_err`.
    pub(crate) fn writing(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Failed(format!("cannot write {}: {error}", printable(path)))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) | Self::Output(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) => f.write_str(message),
            Self::Output(error) => write!(f, "cannot write the results: {error}"),
        }
    }
}
