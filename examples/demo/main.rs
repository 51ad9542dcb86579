//! A page on this machine: was this voice made by a machine?
//!
//! ```sh
//! cargo run --release --example demo
//! cargo run --release --example demo -- --model model.onnx --port 8080
//! curl -H "Content-Type: audio/wav" --data-binary @call.wav http://127.0.0.1:8000/api/score
//! ```
#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod assets;
mod figures;
mod problem;
mod routes;
mod scoring;
mod server;
mod upload;

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use bonafide::Detector;
use clap::Parser as _;
use tokio::net::TcpListener;
use tokio::runtime;

use arguments::Arguments;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let mut builder = Detector::builder();
    if let Some(path) = &arguments.model {
        builder = builder.model(path);
    }
    let detector = builder.build().map_err(|error| error.to_string())?;
    // Few threads are enough: scoring, which is the work, has threads of its own.
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(serve(arguments, detector))
}

async fn serve(arguments: &Arguments, detector: Detector) -> Result<(), String> {
    let wanted = SocketAddr::new(arguments.host, arguments.port);
    let listener = TcpListener::bind(wanted)
        .await
        .map_err(|error| cannot_listen(wanted, &error))?;
    let address = listener.local_addr().map_err(|error| cannot_listen(wanted, &error))?;
    if !address.ip().is_loopback() {
        eprintln!(
            "WARNING: everyone who can reach {address} can use this, without encryption and without a login. Browsers \
             give no microphone to a page that comes so. Leave out --host unless a server with both is in front."
        );
    }
    let limits = arguments.limits();
    let stop = server::Stop::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    announce(address, &answer::Model::of(&detector)).map_err(|error| format!("cannot write: {error}"))?;
    server::serve(listener, routes::all(detector, limits), limits, stop).await;
    Ok(())
}

fn announce(address: SocketAddr, model: &answer::Model) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "http://{address}")?;
    writeln!(out, "model: {}, runtime: {}; Ctrl-C stops", model.name, model.runtime)?;
    out.flush()
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => "; another program has that port: choose one with --port, or --port 0 for any free one",
        ErrorKind::PermissionDenied => "; choose a port from 1024 with --port",
        ErrorKind::AddrNotAvailable => "; --host must be an address of this machine",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{advice}")
}
