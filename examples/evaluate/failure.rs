//! Why the program stops.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

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
    /// A fault in a line of a file; the first line is 1.
    pub(crate) fn at(path: &Path, line: u64, fault: impl fmt::Display) -> Self {
        Self::Failed(format!("{}:{line}: {fault}", path.display()))
    }

    /// A file that can't be read or written, for `map_err`.
    pub(crate) fn file(action: &str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Failed(format!("cannot {action} {}: {error}", path.display()))
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

impl From<bonafide::Error> for Failure {
    fn from(error: bonafide::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
