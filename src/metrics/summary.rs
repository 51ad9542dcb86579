//! All figures at once.

use super::{AsvOperatingPoint, DetectionCost, Trials};
use crate::Result;

/// The figures of a set of trials, as fractions, under the names that reports and JSON use.
///
/// With the feature `serde` it serialises to one object with a field each. JSON has no infinity: `serde_json` writes an
/// infinite Cllr as `null`.
///
/// ```
/// use bonafide::metrics::{Bootstrap, Summary, Trials};
///
/// let trials = Trials::new(&[2.9, 1.1, 3.5, 0.2, 2.2], &[-1.7, 0.4, -2.0, -0.3, -3.1, -0.8])?;
/// let mut summary = Summary::new(&trials, None)?;
/// summary.eer_ci95 = Some(Bootstrap::default().interval(&trials, |resample| resample.eer_asvspoof().rate));
/// assert_eq!((summary.trials, summary.bonafide, summary.spoof), (11, 5, 6));
/// assert_eq!(summary.min_tdcf_2019, None);
/// # Ok::<(), bonafide::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Summary {
    /// Trials of both classes.
    pub trials: usize,
    /// Bona fide trials.
    pub bonafide: usize,
    /// Spoofed trials.
    pub spoof: usize,
    /// [`Trials::eer_asvspoof`], 0 to 1.
    pub eer_asvspoof: f64,
    /// [`Trials::eer_sklearn`], 0 to 1.
    pub eer_sklearn: f64,
    /// [`Trials::eer_rocch`], 0 to 0.5.
    pub eer_rocch: f64,
    /// The 95 % confidence interval of `eer_asvspoof`, low and high. Not computed here, because it takes a thousand
    /// times as long as the rest: set it from a [`Bootstrap`](super::Bootstrap), by speaker where speakers are known.
    pub eer_ci95: Option<(f64, f64)>,
    /// [`Trials::auc`], 0 to 1.
    pub auc: f64,
    /// [`Trials::min_tdcf_2019`], 0 to 1; none without an ASV system.
    pub min_tdcf_2019: Option<f64>,
    /// [`Trials::min_tdcf_2021`], up to 1; none without an ASV system.
    pub min_tdcf_2021: Option<f64>,
    /// [`Trials::min_dcf`] with ASVspoof 5's costs, 0 to 1.
    pub min_dcf: f64,
    /// [`Trials::act_dcf`] with ASVspoof 5's costs, 0 and up.
    pub act_dcf: f64,
    /// [`Trials::cllr`], in bits.
    pub cllr: f64,
    /// [`Trials::min_cllr`], in bits, 0 to 1.
    pub min_cllr: f64,
    /// The threshold of `eer_asvspoof`: a score above it is accepted as bona fide.
    pub threshold_eer: f64,
}

impl Summary {
    /// Computes every figure but the confidence interval.
    ///
    /// # Errors
    ///
    /// [`Error::TandemCost`](crate::Error::TandemCost) if `asv` is given and has no t-DCF.
    pub fn new(trials: &Trials, asv: Option<&AsvOperatingPoint>) -> Result<Self> {
        let cost = DetectionCost::default();
        let eer = trials.eer_asvspoof();
        Ok(Self {
            trials: trials.bonafide() + trials.spoof(),
            bonafide: trials.bonafide(),
            spoof: trials.spoof(),
            eer_asvspoof: eer.rate,
            eer_sklearn: trials.eer_sklearn().rate,
            eer_rocch: trials.eer_rocch(),
            eer_ci95: None,
            auc: trials.auc(),
            min_tdcf_2019: asv.map(|asv| trials.min_tdcf_2019(asv)).transpose()?,
            min_tdcf_2021: asv.map(|asv| trials.min_tdcf_2021(asv)).transpose()?,
            min_dcf: trials.min_dcf(&cost),
            act_dcf: trials.act_dcf(&cost),
            cllr: trials.cllr(),
            min_cllr: trials.min_cllr(),
            threshold_eer: eer.threshold,
        })
    }
}
