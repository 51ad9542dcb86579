//! Where the programs of examples are; other packages' tests include this file, too.

use std::path::PathBuf;
use std::process::Command;

/// The program of an example. `cargo test` builds the examples anew; a single test that is run without them takes the one
/// there is, or builds it.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    if !program.exists() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", name])
            .status()
            .unwrap();
        assert!(built.success());
    }
    program
}
