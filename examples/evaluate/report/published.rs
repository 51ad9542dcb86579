//! Figures that others published, to be shown beside measured ones.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `published.json`.
#[derive(Deserialize)]
pub(super) struct Published {
    pub(super) model: String,
    pub(super) source: String,
    results: Vec<PublishedResult>,
    /// What the model's authors report it to be weak at.
    pub(super) weaknesses: Vec<String>,
}

/// The figures on one data set, as fractions.
#[derive(Deserialize)]
pub(super) struct PublishedResult {
    dataset: String,
    /// None if the data set has no partitions.
    partition: Option<String>,
    pub(super) bonafide: Option<usize>,
    pub(super) spoof: Option<usize>,
    pub(super) windows: Option<usize>,
    pub(super) eer: f64,
    pub(super) auc: f64,
    /// EER by column and value.
    #[serde(default)]
    groups: BTreeMap<String, BTreeMap<String, f64>>,
    /// EER by system.
    #[serde(default)]
    pub(super) baselines: BTreeMap<String, f64>,
}

impl Published {
    pub(super) fn load() -> serde_json::Result<Self> {
        serde_json::from_str(include_str!("../published.json"))
    }

    pub(super) fn find(&self, dataset: &str, partition: &str) -> Option<&PublishedResult> {
        self.results.iter().find(|result| {
            result.dataset == dataset && result.partition.as_deref().is_none_or(|known| known == partition)
        })
    }
}

impl PublishedResult {
    /// The EER of one value of a column.
    pub(super) fn group_eer(&self, column: &str, value: &str) -> Option<f64> {
        self.groups.get(column)?.get(value).copied()
    }
}
