//! The subcommands, and what they print.

pub(crate) mod inspect;
mod table;
#[cfg(feature = "verify")]
pub(crate) mod verify;

use std::io::Write;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// A bar that counts bytes, with a message after it.
pub(crate) fn byte_bar() -> ProgressBar {
    bar("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}")
}

/// A bar that looks like `template`.
fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}

/// Prints to standard output. A reader that has gone away, such as `head`, is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Prints as JSON.
fn print_json(value: &impl Serialize) -> Result<(), serde_json::Error> {
    print(&(serde_json::to_string_pretty(value)? + "\n"));
    Ok(())
}

/// Prints an error and gives the exit code.
fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("error: {error}");
    code.into()
}

/// `94373250` as `94,373,250`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in a unit that people read.
fn bytes(number: u64) -> String {
    match number {
        0..1000 => format!("{number} B"),
        1000..1_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        _ => format!("{:.1} MB", number as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(grouped(94_373_250), "94,373,250");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(0), "0");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1500), "1.5 kB");
        assert_eq!(bytes(491_000_000), "491.0 MB");
    }
}
