//! The figures as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bonafide::metrics::Summary;
use serde::Serialize;

use crate::figures::{Figures, Value};

/// Prints one object.
pub(crate) fn print(mut out: impl Write, figures: &Figures) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, &Object::from(figures))?;
    writeln!(out)
}

/// The figures of a table. All rates are fractions.
#[derive(Serialize)]
pub(crate) struct Object<'a> {
    #[serde(flatten)]
    all: Fields,
    /// Column → value → figures.
    groups: BTreeMap<&'a str, BTreeMap<&'a str, Fields>>,
}

/// Null where the trials are of one class only, or the figure needs what was not given, or is infinite.
#[derive(Serialize)]
struct Fields {
    trials: usize,
    bonafide: usize,
    spoof: usize,
    eer_asvspoof: Option<f64>,
    eer_sklearn: Option<f64>,
    eer_rocch: Option<f64>,
    eer_ci95: Option<(f64, f64)>,
    auc: Option<f64>,
    min_tdcf_2019: Option<f64>,
    min_tdcf_2021: Option<f64>,
    min_dcf: Option<f64>,
    act_dcf: Option<f64>,
    cllr: Option<f64>,
    min_cllr: Option<f64>,
    threshold_eer: Option<f64>,
}

impl Fields {
    fn new(bonafide: usize, spoof: usize, summary: Option<&Summary>) -> Self {
        let figure = |figure: fn(&Summary) -> f64| summary.map(figure);
        Self {
            trials: bonafide + spoof,
            bonafide,
            spoof,
            eer_asvspoof: figure(|summary| summary.eer_asvspoof),
            eer_sklearn: figure(|summary| summary.eer_sklearn),
            eer_rocch: figure(|summary| summary.eer_rocch),
            eer_ci95: summary.and_then(|summary| summary.eer_ci95),
            auc: figure(|summary| summary.auc),
            min_tdcf_2019: summary.and_then(|summary| summary.min_tdcf_2019),
            min_tdcf_2021: summary.and_then(|summary| summary.min_tdcf_2021),
            min_dcf: figure(|summary| summary.min_dcf),
            act_dcf: figure(|summary| summary.act_dcf),
            cllr: figure(|summary| summary.cllr),
            min_cllr: figure(|summary| summary.min_cllr),
            threshold_eer: figure(|summary| summary.threshold_eer),
        }
    }
}

impl<'a> From<&'a Figures> for Object<'a> {
    fn from(figures: &'a Figures) -> Self {
        let fields = |value: &'a Value| {
            let fields = Fields::new(value.bonafide, value.spoof, value.summary.as_ref());
            (value.value.as_str(), fields)
        };
        let groups = figures.groups.iter();
        Self {
            all: Fields::new(figures.bonafide, figures.spoof, figures.summary.as_ref()),
            groups: groups
                .map(|group| (group.column.as_str(), group.values.iter().map(fields).collect()))
                .collect(),
        }
    }
}
