//! Scores on standard output.

mod csv;
mod json;
mod table;

use std::io;

use crate::arguments::Format;
use crate::model::Model;
use crate::scoring::Outcome;
use crate::tally::Tally;

/// A way to print scores.
pub(crate) trait Output {
    /// Prints what became of a file, at once.
    fn row(&mut self, outcome: &Outcome) -> io::Result<()>;

    /// Prints what there is to say of all files.
    fn end(&mut self, tally: &Tally) -> io::Result<()>;
}

pub(crate) fn of<'a>(format: Format, model: &'a Model) -> Box<dyn Output + 'a> {
    let out = io::stdout().lock();
    match format {
        Format::Table => Box::new(table::Table::new(out, model)),
        Format::Json => Box::new(json::Json::new(out, model)),
        Format::Csv => Box::new(csv::Csv::new(out)),
    }
}
