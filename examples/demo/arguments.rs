//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Serves a page, and an interface for programs, that tell whether a voice was made by a machine.
///
/// What is sent is scored in memory and then forgotten: nothing is written to disk or logged. There is neither
/// encryption nor a login, so let it listen on this machine only, or behind a server that has both.
#[derive(Parser)]
#[command(name = "demo", version)]
pub(crate) struct Arguments {
    /// The address to listen on; others than this machine's own can be reached from elsewhere
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) host: IpAddr,
    /// The port to listen on; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub(crate) port: u16,
    /// The model, as made by `bonafide-export` [default: the small one embedded in the crate]
    #[arg(long, value_name = "M.onnx")]
    pub(crate) model: Option<PathBuf>,
    /// The largest recording that is taken, in megabytes of 1,000,000 bytes
    #[arg(long, value_name = "MB", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) max_megabytes: u16,
    /// The longest recording that is taken, in seconds
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=36_000))]
    pub(crate) max_seconds: u32,
    /// How long a request may take, from its first line to its answer, in seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout_seconds: u64,
    /// Recordings that are received and scored at once; others are told to come back later
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) max_uploads: u16,
}

/// What a request may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) seconds: u32,
    pub(crate) timeout: Duration,
    pub(crate) uploads: usize,
}

impl Arguments {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            bytes: usize::from(self.max_megabytes) * 1_000_000,
            seconds: self.max_seconds,
            timeout: Duration::from_secs(self.timeout_seconds),
            uploads: usize::from(self.max_uploads),
        }
    }
}
