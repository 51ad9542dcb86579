//! How far it is, for those who wait at a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// So few files are done before anyone wonders.
const HANDFUL: usize = 5;

/// On the terminal, with the estimated time; nowhere else, and not for a handful of files.
pub(crate) fn bar(files: usize, doing: &'static str) -> ProgressBar {
    if files <= HANDFUL {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::new(files as u64).with_message(doing);
    let template = "{msg} {wide_bar} {human_pos}/{human_len} files  {elapsed} elapsed, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(500));
    progress
}
