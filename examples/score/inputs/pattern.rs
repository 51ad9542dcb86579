//! Patterns such as `calls/**/*.mp3`, for where the shell doesn't expand them.

use std::path::{Component, Path, PathBuf};

use glob::MatchOptions;

use crate::failure::{Failure, Result};
use crate::text::printable;

pub(crate) struct Pattern {
    /// The folder that all matches are in: the pattern's part before the first wildcard.
    pub(crate) base: PathBuf,
    /// How far below the base there can be a match.
    pub(crate) depth: usize,
    pattern: glob::Pattern,
}

/// As in a shell: a star stays within a folder.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Pattern {
    /// The pattern that an argument is, if it is one.
    pub(crate) fn parse(argument: &Path) -> Result<Option<Self>> {
        let Some(text) = argument.to_str().filter(|text| text.contains(['*', '?', '['])) else {
            return Ok(None);
        };
        // Walked paths have no "./" in the middle, nor does this.
        let parts: Vec<Component<'_>> = Path::new(text).components().collect();
        let wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
        let fixed = parts.iter().take_while(|part| !wild(part)).count();
        let rest = &parts[fixed..];
        let recursive = rest.iter().any(|part| part.as_os_str() == "**");
        let whole: PathBuf = parts.iter().collect();
        let pattern = glob::Pattern::new(&whole.to_string_lossy())
            .map_err(|error| Failure::Usage(format!("{} is no pattern: {}", printable(argument), error.msg)))?;
        Ok(Some(Self {
            base: parts[..fixed].iter().collect(),
            depth: if recursive { usize::MAX } else { rest.len() },
            pattern,
        }))
    }

    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.pattern.matches_path_with(path, OPTIONS)
    }
}
