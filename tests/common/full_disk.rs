//! A full disk, for a program; other packages' tests include this file, too.

use std::path::Path;
use std::process::Command;

/// A program on a disk where a file can't grow beyond some blocks of 512 or 1024 bytes: more can't be written, as when it
/// is full.
pub(crate) fn on_a_full_disk(blocks: u32, program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()]);
    command.arg(program);
    command
}
