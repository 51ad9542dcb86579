//! The picture of one file, as a file.

use std::io::Write as _;
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::picture::Picture;
use crate::replace;
use crate::report::words;
use crate::scoring::Outcome;
use crate::text::printable;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    Svg,
    Png,
}

impl Format {
    /// By the file's name, which must be one that may be written.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        replace::check(path, &["svg", "png"])?;
        let svg = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
        Ok(if svg { Self::Svg } else { Self::Png })
    }
}

/// Draws a file. Where it could not be scored there is nothing to draw, and that has been said.
pub(crate) fn write(path: &Path, format: Format, outcome: &Outcome) -> Result<()> {
    let Ok(score) = &outcome.score else { return Ok(()) };
    let picture = Picture::of(&outcome.path, score)
        .map_err(|reason| Failure::Failed(format!("cannot draw {}: {reason}", printable(&outcome.path))))?;
    let content = match format {
        Format::Svg => picture.svg_file(&words::description(&outcome.path, score)).into_bytes(),
        Format::Png => picture.png_file(),
    };
    replace::replace(path, |out| out.write_all(&content))
}
