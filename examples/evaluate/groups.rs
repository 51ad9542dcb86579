//! Groups of trials: by attack, codec, channel, …

use std::collections::{BTreeMap, BTreeSet};

use bonafide::Label;

use crate::failure::{Failure, Result};
use crate::scores::{Row, Table};

/// The column that tells whose voice it is. It is for confidence intervals; a table of speakers must be asked for.
pub(crate) const SPEAKER: &str = "speaker";
/// What made the speech, which only spoofed trials have.
const ATTACKS: [&str; 2] = ["attack", "vocoder"];
/// What became of the speech, for which `-` is as good a value as any.
const CONDITIONS: [&str; 9] = [
    "channel",
    "codec",
    "codec-quality",
    "compression",
    "gender",
    "language",
    "source",
    "subset",
    "trim",
];
/// Other columns with more values than this are taken for something else, such as a comment or a duration.
const MOST_VALUES: usize = 200;

/// The trials of each value of a column.
pub(crate) struct Grouping<'a> {
    pub(crate) column: &'a str,
    /// Only spoofed trials have the column, so each value is set against all bona fide trials.
    pub(crate) spoof_only: bool,
    pub(crate) values: BTreeMap<&'a str, Vec<&'a Row>>,
}

/// The columns to group by: those asked for, or else all that look like a condition.
pub(crate) fn columns(table: &Table, asked: &[String]) -> Result<Vec<usize>> {
    if asked.is_empty() {
        return Ok((0..table.columns.len())
            .filter(|&column| is_condition(table, column))
            .collect());
    }
    let find = |name: &String| {
        table.column(name).ok_or_else(|| {
            let columns = if table.columns.is_empty() {
                "none".to_owned()
            } else {
                table.columns.join(", ")
            };
            Failure::Usage(format!("there is no column {name:?} to group by; there are {columns}"))
        })
    };
    asked.iter().map(find).collect()
}

fn is_condition(table: &Table, column: usize) -> bool {
    let name = table.columns[column].as_str();
    if name == SPEAKER || ATTACKS.contains(&name) || CONDITIONS.contains(&name) {
        return name != SPEAKER;
    }
    let values: BTreeSet<&str> = table.rows.iter().map(|row| row.values[column].as_str()).collect();
    values.len() <= MOST_VALUES && 2 * values.len() <= table.rows.len()
}

/// Groups by a column. Trials with an empty value are in no group.
///
/// Where no bona fide trial has a value, each value's spoofed trials are set against all of them, as the official scorer
/// does with attacks. A condition such as a codec restricts both classes.
pub(crate) fn by(table: &Table, column: usize) -> Grouping<'_> {
    let bonafide = || table.rows.iter().filter(|row| row.label == Label::Bonafide);
    let name = table.columns[column].as_str();
    let is_none = |value: &str| value.is_empty() || (!CONDITIONS.contains(&name) && is_none(value));
    let spoof_only = bonafide().all(|row| is_none(&row.values[column]));
    let mut values: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &table.rows {
        let value = row.values[column].as_str();
        // Where both classes have the column, `-` is a value too: no codec, no channel.
        let skip = if spoof_only { is_none(value) } else { value.is_empty() };
        if !skip {
            values.entry(value).or_default().push(row);
        }
    }
    if spoof_only {
        values.values_mut().for_each(|rows| rows.extend(bonafide()));
    }
    Grouping {
        column: name,
        spoof_only,
        values,
    }
}

/// How data sets write that a trial has no attack: `-` in 2019, `bonafide` in 2021 and 5.
fn is_none(value: &str) -> bool {
    matches!(value, "-" | "bonafide" | "bona-fide")
}
