//! Scores audio files, folders and patterns: was this voice made by a machine?
//!
//! ```sh
//! cargo run --release --example score -- call.mp3 interview.wav
//! cargo run --release --example score -- recordings "calls/**/*.mp3" --sort score --report report.html
//! cargo run --release --example score -- --model model.onnx call.mp3 --plot call.svg
//! ```
#![forbid(unsafe_code)]

mod arguments;
mod failure;
mod inputs;
mod markup;
mod model;
mod output;
mod picture;
mod plot;
mod progress;
mod replace;
mod report;
mod scoring;
mod sort;
mod tally;
mod text;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use failure::{Failure, Result};
use inputs::Inputs;
use model::Model;
use scoring::Outcome;
use tally::Tally;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

/// Scores every file, and says whether all could be.
fn run(arguments: &Arguments) -> Result<bool> {
    // All that can be wrong with the command line is found before the first file is scored, which may take hours.
    if let Some(path) = &arguments.report {
        replace::check(path, &["html", "htm"])?;
    }
    let plot = arguments.plot.as_deref().map(plot::Format::of).transpose()?;
    let inputs = Inputs::find(&arguments.inputs)?;
    if let (Some(_), files @ 2..) = (plot, inputs.found.len()) {
        return Err(Failure::Usage(format!(
            "--plot draws one file, and there are {files}; give one, or use --report, which draws them all"
        )));
    }
    let model = Model::load(arguments, inputs.found.len())?;

    let mut output = output::of(arguments.format(), &model);
    let mut tally = Tally::new(inputs.skipped);
    // Without a reason to keep them, scores are forgotten once they are printed.
    let keep = arguments.sort.is_some() || arguments.report.is_some() || plot.is_some();
    let mut outcomes: Vec<Outcome> = Vec::new();
    let printed = &mut output;
    scoring::score(&model.detector, inputs.found, |outcome| {
        tally.count(&outcome);
        if arguments.sort.is_none() {
            printed.row(&outcome)?;
        }
        if keep {
            outcomes.push(outcome);
        }
        Ok(())
    })
    .map_err(Failure::Output)?;
    if let Some(order) = arguments.sort {
        sort::sort(&mut outcomes, order);
        outcomes
            .iter()
            .try_for_each(|outcome| output.row(outcome))
            .map_err(Failure::Output)?;
    }
    output.end(&tally).map_err(Failure::Output)?;

    if let Some(path) = &arguments.report {
        report::write(path, &outcomes, &tally, &model)?;
    }
    if let (Some(path), Some(format), [outcome]) = (&arguments.plot, plot, &outcomes[..]) {
        plot::write(path, format, outcome)?;
    }
    Ok(tally.errors == 0)
}
