//! The figures are those of scikit-learn, scipy and the formulas (`fixtures/metrics/make_metrics.py`), and those
//! published for a known countermeasure's scores.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bonafide::metrics::{
    AsvOperatingPoint, AsvScores, Bootstrap, DetectionCost, EqualErrorRate, LogisticCalibration, OperatingPoint,
    PavCalibration, Summary, Trials, probit,
};
use bonafide::{Error, Label};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

fn fixture() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/metrics/expected.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A number, or an infinity as a string.
fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Equal but for rounding.
fn close(found: f64, expected: f64) -> bool {
    found == expected || (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
}

#[track_caller]
fn assert_close(what: &str, found: f64, expected: f64) {
    assert!(close(found, expected), "{what}: found {found}, expected {expected}");
}

#[track_caller]
fn assert_eer(what: &str, found: EqualErrorRate, expected: [f64; 2]) {
    assert_close(what, found.rate, expected[0]);
    assert_eq!(found.threshold, expected[1], "{what}");
}

#[track_caller]
fn assert_point(what: &str, found: OperatingPoint, expected: &[f64]) {
    assert_eq!(found.threshold, expected[0], "{what}");
    assert_close(what, found.miss, expected[1]);
    assert_close(what, found.false_alarm, expected[2]);
}

/// A case's trials, in the least helpful order.
fn trials(case: &Value) -> Trials {
    let (mut bonafide, mut spoof) = (Vec::new(), Vec::new());
    for level in case["histogram"].as_array().unwrap().iter().rev() {
        bonafide.extend(vec![number(&level[0]); level[1].as_u64().unwrap() as usize]);
        spoof.extend(vec![number(&level[0]); level[2].as_u64().unwrap() as usize]);
    }
    Trials::new(&bonafide, &spoof).unwrap()
}

fn asv_scores(fixture: &Value) -> AsvScores {
    AsvScores {
        target: numbers(&fixture["asv"]["target"]),
        nontarget: numbers(&fixture["asv"]["nontarget"]),
        spoof: numbers(&fixture["asv"]["spoof"]),
    }
}

fn asv(fixture: &Value) -> AsvOperatingPoint {
    asv_scores(fixture).operating_point().unwrap()
}

/// Runs a check on every case, with its name.
fn for_cases(check: impl Fn(&str, &Trials, &Value)) {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        check(case["name"].as_str().unwrap(), &trials(case), &case["expected"]);
    }
}

#[test]
fn equal_error_rates_are_those_of_the_formulas_and_of_scikit_learn() {
    for_cases(|name, trials, expected| {
        let eer = |key: &str| [number(&expected[key]["rate"]), number(&expected[key]["threshold"])];
        assert_eer(name, trials.eer_asvspoof(), eer("eer_asvspoof"));
        assert_eer(name, trials.eer_sklearn(), eer("eer_sklearn"));
        assert_close(name, trials.eer_rocch(), number(&expected["eer_rocch"]));
    });
}

#[test]
fn the_same_point_wins_where_scores_and_distances_tie() {
    let fixture = fixture();
    let sets = fixture["small_random"].as_array().unwrap();
    assert_eq!(sets.len(), 300);
    for set in sets {
        let trials = Trials::new(&numbers(&set["bonafide"]), &numbers(&set["spoof"])).unwrap();
        let eer = |key: &str| [number(&set[key][0]), number(&set[key][1])];
        let what = set.to_string();
        assert_eer(&what, trials.eer_asvspoof(), eer("eer_asvspoof"));
        assert_eer(&what, trials.eer_sklearn(), eer("eer_sklearn"));
        assert_close(&what, trials.eer_rocch(), number(&set["eer_rocch"]));
    }
}

#[test]
fn costs_are_those_of_the_formulas() {
    let asv = asv(&fixture());
    let other = DetectionCost::new(0.5, 3.0, 2.0).unwrap();
    for_cases(|name, trials, expected| {
        let check = |key: &str, found: f64| assert_close(&format!("{name}: {key}"), found, number(&expected[key]));
        check("auc", trials.auc());
        check("min_tdcf_2019", trials.min_tdcf_2019(&asv).unwrap());
        check("min_tdcf_2021", trials.min_tdcf_2021(&asv).unwrap());
        check("min_dcf", trials.min_dcf(&DetectionCost::default()));
        check("act_dcf", trials.act_dcf(&DetectionCost::default()));
        check("min_dcf_other", trials.min_dcf(&other));
        check("act_dcf_other", trials.act_dcf(&other));
        check("cllr", trials.cllr());
        check("min_cllr", trials.min_cllr());
    });
}

#[test]
fn the_asv_systems_operating_point_is_the_official_one() {
    let fixture = fixture();
    let (found, expected) = (asv(&fixture), &fixture["asv"]["operating_point"]);
    assert_eq!(found.threshold, number(&expected["threshold"]));
    assert_close("miss", found.miss, number(&expected["miss"]));
    assert_close("false alarm", found.false_alarm, number(&expected["false_alarm"]));
    assert_close("spoof", found.spoof_false_alarm, number(&expected["spoof_false_alarm"]));
}

#[test]
fn curves_have_the_expected_points() {
    for_cases(|name, trials, expected| {
        for (curve, expected) in [
            (trials.det_curve(), &expected["det"]),
            (trials.roc_curve(), &expected["roc"]),
        ] {
            let Some(points) = expected.as_array() else { continue };
            assert_eq!(curve.len(), points.len(), "{name}");
            for (found, expected) in curve.into_iter().zip(points) {
                assert_point(name, found, &numbers(expected));
            }
        }
    });
}

#[test]
fn thresholds_at_a_rate_are_the_best_there_are() {
    for_cases(|name, trials, expected| {
        for row in expected["at_false_alarm"].as_array().unwrap() {
            let row = numbers(row);
            assert_point(name, trials.threshold_at_false_alarm(row[0]).unwrap(), &row[1..]);
        }
        for row in expected["at_miss"].as_array().unwrap() {
            let row = numbers(row);
            assert_point(name, trials.threshold_at_miss(row[0]).unwrap(), &row[1..]);
        }
    });
}

#[test]
fn logistic_calibration_finds_the_optimum_or_says_that_there_is_none() {
    for_cases(|name, trials, expected| {
        for (expected, prior) in expected["logistic"].as_array().unwrap().iter().zip([0.5, 0.95 / 1.45]) {
            let found = LogisticCalibration::fit(trials, prior);
            if expected.is_null() {
                // Equal scores are the one set that separates and has an answer.
                match found {
                    Ok(found) => assert_eq!((found.scale, found.offset), (0.0, 0.0), "{name}"),
                    Err(error) => assert!(matches!(error, Error::Calibration { .. }), "{name}: {error}"),
                }
                continue;
            }
            let found = found.unwrap();
            let (scale, offset) = (number(&expected["scale"]), number(&expected["offset"]));
            assert!(
                (found.scale / scale - 1.0).abs() < 1e-7,
                "{name}: {found:?}, expected {expected}"
            );
            assert!(
                (found.offset - offset).abs() < 1e-7 * offset.abs().max(1.0),
                "{name}: {found:?}, expected {expected}"
            );
            assert_eq!(found.llr(2.0), 2.0 * found.scale + found.offset);
        }
    });
}

#[test]
fn which_sets_calibrate_and_which_do_not() {
    for_cases(|name, trials, _| {
        let fitted = LogisticCalibration::fit(trials, 0.5);
        let separates = matches!(
            name,
            "separated" | "touching" | "inverted" | "one_each" | "one_each_inverted"
        );
        assert_eq!(fitted.is_err(), separates, "{name}: {fitted:?}");
    });
}

#[test]
fn a_logistic_calibration_at_even_odds_lowers_cllr() {
    for_cases(|name, trials, _| {
        let Ok(calibration) = LogisticCalibration::fit(trials, 0.5) else {
            return;
        };
        let calibrated = trials.map(|score| calibration.llr(score)).unwrap();
        assert!(calibrated.cllr() <= trials.cllr() + 1e-12, "{name}");
        assert!(calibrated.cllr() <= 1.0 + 1e-12, "{name}");
        assert!(calibrated.cllr() >= calibrated.min_cllr() - 1e-12, "{name}");
    });
}

#[test]
fn pav_calibration_is_the_isotonic_regression() {
    for_cases(|name, trials, expected| {
        let calibration = PavCalibration::fit(trials).unwrap();
        for pair in expected["pav"].as_array().unwrap() {
            let (score, llr) = (number(&pair[0]), number(&pair[1]));
            let found = calibration.llr(score);
            // scikit-learn's sums of fractions round where ours of counts do not.
            assert!(
                found == llr || (found - llr).abs() < 1e-9,
                "{name}: {score} gave {found}, expected {llr}"
            );
        }
        let calibrated = trials.map(|score| calibration.llr(score)).unwrap();
        assert_close(name, calibrated.cllr(), trials.min_cllr());
    });
}

#[test]
fn pav_calibration_of_scores_in_between() {
    let calibration = PavCalibration::fit(&Trials::new(&[1.0, 4.0, 6.0], &[0.0, 2.0]).unwrap()).unwrap();
    let middle = calibration.llr(1.0);
    assert!(middle.is_finite());
    assert_eq!(calibration.llr(2.0), middle);
    assert_eq!(calibration.llr(0.49), f64::NEG_INFINITY);
    assert_eq!(calibration.llr(0.5), middle);
    assert_eq!(calibration.llr(2.99), middle);
    assert_eq!(calibration.llr(3.0), f64::INFINITY);
    assert!(calibration.llr(f64::NAN).is_nan());

    let neighbours = PavCalibration::fit(&Trials::new(&[1.0_f64.next_up()], &[1.0]).unwrap()).unwrap();
    assert_eq!(neighbours.llr(1.0), f64::NEG_INFINITY);
    assert_eq!(neighbours.llr(1.0_f64.next_up()), f64::INFINITY);
}

#[test]
fn bootstrap_intervals_are_those_of_the_same_draws_in_numpy() {
    let fixture = &fixture()["bootstrap"];
    let bootstrap = Bootstrap::new(200, 0.9, 7).unwrap();
    let eer = |trials: &Trials| trials.eer_asvspoof().rate;

    let trials = Trials::new(&numbers(&fixture["bonafide"]), &numbers(&fixture["spoof"])).unwrap();
    let (low, high) = bootstrap.interval(&trials, eer);
    assert_close("low", low, number(&fixture["by_trial"][0]));
    assert_close("high", high, number(&fixture["by_trial"][1]));

    let rows = fixture["trials"].as_array().unwrap().iter().map(|row| {
        let label = if row[1] == "bonafide" {
            Label::Bonafide
        } else {
            Label::Spoof
        };
        (row[0].as_str().unwrap(), label, number(&row[2]))
    });
    let mut rows: Vec<_> = rows.collect();
    rows.reverse();
    let (low, high) = bootstrap.interval_by_speaker(&rows, eer).unwrap();
    assert_close("low", low, number(&fixture["by_speaker"][0]));
    assert_close("high", high, number(&fixture["by_speaker"][1]));
}

#[test]
fn the_interval_of_a_difference_is_that_of_the_same_draws_in_numpy() {
    let fixture = &fixture()["bootstrap"];
    let bootstrap = Bootstrap::new(200, 0.9, 7).unwrap();
    let eer = |trials: &Trials| trials.eer_asvspoof().rate;
    let second = fixture["second"].as_array().unwrap();
    let mut pairs = Vec::new();
    for (label, first, second) in [
        (Label::Spoof, &fixture["spoof"], &second[1]),
        (Label::Bonafide, &fixture["bonafide"], &second[0]),
    ] {
        pairs.extend(
            numbers(first)
                .into_iter()
                .zip(numbers(second))
                .map(|(one, other)| (label, one, other)),
        );
    }
    let (low, high) = bootstrap.interval_of_difference(&pairs, eer).unwrap();
    assert_close("low", low, number(&fixture["difference"][0]));
    assert_close("high", high, number(&fixture["difference"][1]));
    assert!(low < high);

    let same: Vec<_> = pairs.iter().map(|&(label, first, _)| (label, first, first)).collect();
    assert_eq!(bootstrap.interval_of_difference(&same, eer).unwrap(), (0.0, 0.0));
    let swapped: Vec<_> = pairs.iter().map(|&(label, one, other)| (label, other, one)).collect();
    let (lower, higher) = bootstrap.interval_of_difference(&swapped, eer).unwrap();
    assert_close("swapped", lower, -high);
    assert_close("swapped", higher, -low);
}

#[test]
fn bootstrap_intervals_of_odd_metrics() {
    let trials = Trials::new(&[1.0, f64::NEG_INFINITY], &[0.0, 2.0]).unwrap();
    let (low, high) = Bootstrap::default().interval(&trials, Trials::cllr);
    assert!(low.is_finite() && high == f64::INFINITY);
    let (low, high) = Bootstrap::default().interval(&trials, |_| f64::NAN);
    assert!(low.is_nan() && high.is_nan());
}

#[test]
fn few_speakers_make_wide_intervals() {
    let mut rows = Vec::new();
    for speaker in 0..8 {
        for trial in 0..50 {
            let noise = f64::from(trial) / 50.0;
            rows.push((speaker, Label::Bonafide, f64::from(speaker) + noise));
            rows.push((speaker, Label::Spoof, f64::from(speaker) - 3.0 + noise));
        }
    }
    let class = |wanted| {
        rows.iter()
            .filter(|row| row.1 == wanted)
            .map(|row| row.2)
            .collect::<Vec<f64>>()
    };
    let trials = Trials::new(&class(Label::Bonafide), &class(Label::Spoof)).unwrap();
    let bootstrap = Bootstrap::default();
    let (low, high) = bootstrap.interval(&trials, |trials| trials.eer_asvspoof().rate);
    let (lower, higher) = bootstrap
        .interval_by_speaker(&rows, |trials| trials.eer_asvspoof().rate)
        .unwrap();
    assert!(
        higher - lower > 2.0 * (high - low),
        "{lower} to {higher}, {low} to {high}"
    );
}

#[test]
fn probit_is_the_normal_quantile() {
    for pair in fixture()["probit"].as_array().unwrap() {
        let (p, expected) = (number(&pair[0]), number(&pair[1]));
        let found = probit(p);
        assert!(
            found == expected || (found - expected).abs() <= 1e-13 * expected.abs().max(1.0),
            "{p}: {found}"
        );
    }
    assert!(probit(-0.1).is_nan() && probit(1.1).is_nan() && probit(f64::NAN).is_nan());
}

#[test]
fn one_class_and_nan_are_errors() {
    let class_of = |error| match error {
        Error::EmptyClass { class } => class,
        other => panic!("{other}"),
    };
    assert_eq!(class_of(Trials::new(&[], &[1.0]).unwrap_err()), "bonafide");
    assert_eq!(class_of(Trials::new(&[1.0], &[]).unwrap_err()), "spoof");
    assert_eq!(class_of(Trials::new(&[], &[]).unwrap_err()), "bonafide");

    let error = Trials::new(&[1.0], &[0.0, f64::NAN]).unwrap_err();
    assert!(matches!(
        error,
        Error::InvalidScore {
            class: "spoof",
            index: 1,
            ..
        }
    ));
    assert_eq!(
        error.to_string(),
        "spoof score 1 is NaN; expected a number: check what produced the scores"
    );
    let trials = Trials::new(&[1.0], &[-1.0]).unwrap();
    assert!(matches!(
        trials.map(f64::sqrt),
        Err(Error::InvalidScore { class: "spoof", .. })
    ));
}

#[test]
fn infinite_scores_rank_and_do_not_calibrate() {
    let trials = Trials::new(&[f64::INFINITY, 1.0, 0.0], &[f64::NEG_INFINITY, -1.0, 0.5]).unwrap();
    assert_close("eer", trials.eer_asvspoof().rate, 1.0 / 3.0);
    assert_close("auc", trials.auc(), 8.0 / 9.0);
    assert!(trials.cllr().is_finite() && trials.min_cllr() <= 1.0);
    assert!(trials.act_dcf(&DetectionCost::default()).is_finite());
    assert!(matches!(
        LogisticCalibration::fit(&trials, 0.5),
        Err(Error::InvalidScore { .. })
    ));
    assert!(matches!(PavCalibration::fit(&trials), Err(Error::InvalidScore { .. })));

    let wrong = Trials::new(&[f64::NEG_INFINITY], &[0.0]).unwrap();
    assert_eq!((wrong.cllr(), wrong.min_cllr()), (f64::INFINITY, 1.0));
}

#[test]
fn extreme_scores_do_not_calibrate() {
    let extreme = Trials::new(&[f64::MAX, -f64::MAX], &[f64::MAX, 0.0]).unwrap();
    assert!(matches!(
        LogisticCalibration::fit(&extreme, 0.5),
        Err(Error::Calibration { .. })
    ));
    assert_eq!(PavCalibration::fit(&extreme).unwrap().llr(0.0), 0.0);
}

#[test]
fn settings_out_of_range_are_errors() {
    let trials = Trials::new(&[1.0, 0.0], &[0.5]).unwrap();
    let is_setting = |error: Error| matches!(error, Error::Setting { .. });
    for rate in [-0.1, 1.1, f64::NAN] {
        assert!(is_setting(trials.threshold_at_false_alarm(rate).unwrap_err()));
        assert!(is_setting(trials.threshold_at_miss(rate).unwrap_err()));
        assert!(is_setting(LogisticCalibration::fit(&trials, rate).unwrap_err()));
        assert!(is_setting(DetectionCost::new(rate, 1.0, 10.0).unwrap_err()));
        assert!(is_setting(Bootstrap::new(1000, rate, 0).unwrap_err()));
    }
    for cost in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(is_setting(DetectionCost::new(0.05, cost, 10.0).unwrap_err()));
        assert!(is_setting(DetectionCost::new(0.05, 1.0, cost).unwrap_err()));
    }
    assert!(is_setting(Bootstrap::new(0, 0.95, 0).unwrap_err()));

    let one_speaker = [("ann", Label::Bonafide, 1.0), ("ann", Label::Spoof, 0.0)];
    assert!(is_setting(
        Bootstrap::default()
            .interval_by_speaker(&one_speaker, Trials::auc)
            .unwrap_err()
    ));
    let nan = [("ann", Label::Bonafide, 1.0), ("ben", Label::Spoof, f64::NAN)];
    let error = Bootstrap::default().interval_by_speaker(&nan, Trials::auc).unwrap_err();
    assert!(matches!(
        error,
        Error::InvalidScore {
            class: "spoof",
            index: 1,
            ..
        }
    ));
}

#[test]
fn a_useless_asv_system_has_no_tandem_cost() {
    let fixture = fixture();
    let cm = Trials::new(&[1.0, 2.0], &[0.0, 1.5]).unwrap();
    let scores = asv_scores(&fixture);
    let inverted = AsvScores {
        target: (1..=20).map(|score| -f64::from(score)).collect(),
        nontarget: vec![1.0; 20],
        spoof: vec![2.0],
    };
    let inverted = inverted.operating_point().unwrap();
    assert!(matches!(cm.min_tdcf_2019(&inverted), Err(Error::TandemCost { .. })));
    assert!(matches!(cm.min_tdcf_2021(&inverted), Err(Error::TandemCost { .. })));

    // A system that no spoof fools needs no countermeasure: 2019's cost is 0 / 0, 2021's is that of the ASV system.
    let spoof = vec![-100.0; 3];
    let unfooled = AsvScores {
        spoof,
        ..scores.clone()
    }
    .operating_point()
    .unwrap();
    assert!(matches!(cm.min_tdcf_2019(&unfooled), Err(Error::TandemCost { .. })));
    assert_eq!(cm.min_tdcf_2021(&unfooled).unwrap(), 1.0);

    let no_target = AsvScores {
        target: Vec::new(),
        ..scores.clone()
    };
    assert!(matches!(
        no_target.operating_point(),
        Err(Error::EmptyClass { class: "target" })
    ));
    let no_spoof = AsvScores {
        spoof: Vec::new(),
        ..scores.clone()
    };
    assert!(matches!(
        no_spoof.operating_point(),
        Err(Error::EmptyClass { class: "spoof" })
    ));
    let nan = AsvScores {
        nontarget: vec![f64::NAN],
        ..scores
    };
    assert!(matches!(
        nan.operating_point(),
        Err(Error::InvalidScore { class: "nontarget", .. })
    ));
}

#[test]
fn a_summary_holds_every_figure() {
    let fixture = fixture();
    let trials = trials(&fixture["cases"][1]);
    let asv = asv(&fixture);
    let summary = Summary::new(&trials, Some(&asv)).unwrap();
    assert_eq!((summary.trials, summary.bonafide, summary.spoof), (18, 7, 11));
    assert_eq!(summary.eer_asvspoof, trials.eer_asvspoof().rate);
    assert_eq!(summary.threshold_eer, trials.eer_asvspoof().threshold);
    assert_eq!(summary.eer_sklearn, trials.eer_sklearn().rate);
    assert_eq!(summary.min_tdcf_2021, trials.min_tdcf_2021(&asv).ok());
    assert_eq!((summary.cllr, summary.min_cllr), (trials.cllr(), trials.min_cllr()));
    assert_eq!(summary.eer_ci95, None);
}

#[cfg(feature = "serde")]
#[test]
fn a_summary_serialises_under_the_documented_names() {
    let mut summary = Summary::new(&Trials::new(&[1.0], &[0.0]).unwrap(), None).unwrap();
    summary.eer_ci95 = Some((0.0, 0.5));
    let json = serde_json::to_value(summary).unwrap();
    let names = "trials bonafide spoof eer_asvspoof eer_sklearn eer_rocch eer_ci95 auc min_tdcf_2019 min_tdcf_2021 \
                 min_dcf act_dcf cllr min_cllr threshold_eer";
    assert_eq!(json.as_object().unwrap().len(), names.split(' ').count());
    assert!(names.split(' ').all(|name| json.get(name).is_some()));
    assert_eq!(json["eer_ci95"], serde_json::json!([0.0, 0.5]));
    assert_eq!(json["min_tdcf_2019"], Value::Null);
}

/// The shared score files, which not every machine has.
fn shared_scores(name: &str) -> Option<String> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../shared/scores", name].iter().collect();
    let text = fs::read_to_string(&path);
    if text.is_err() {
        println!("SKIPPED: {} is not here", path.display());
    }
    text.ok()
}

/// The scores in the last column of the lines that have `key` in the one before.
fn with_key(lines: &str, key: &str) -> Vec<f64> {
    let rows = lines.lines().map(|line| line.split(' ').rev().collect::<Vec<_>>());
    rows.filter(|row| row[1] == key)
        .map(|row| row[0].parse().unwrap())
        .collect()
}

#[test]
fn published_scores_give_the_published_figures() {
    let Some(cm) = shared_scores("rawgat_st_cat.eval2019.txt") else {
        return;
    };
    let Some(asv) = shared_scores("ASVspoof2019.LA.asv.eval.gi.trl.scores.txt") else {
        return;
    };
    let trials = Trials::new(&with_key(&cm, "bonafide"), &with_key(&cm, "spoof")).unwrap();
    let asv = AsvScores {
        target: with_key(&asv, "target"),
        nontarget: with_key(&asv, "nontarget"),
        spoof: with_key(&asv, "spoof"),
    };
    let asv = asv.operating_point().unwrap();
    let mut summary = Summary::new(&trials, Some(&asv)).unwrap();
    let start = Instant::now();
    summary.eer_ci95 = Some(Bootstrap::default().interval(&trials, |trials| trials.eer_asvspoof().rate));
    println!("{asv:?}\n{summary:?}\n1,000 resamples in {:?}", start.elapsed());

    assert_eq!(
        (summary.trials, summary.bonafide, summary.spoof),
        (71_237, 7_355, 63_882)
    );
    assert_eq!(format!("{:.4}", 100.0 * summary.eer_asvspoof), "1.2354");
    assert_eq!(format!("{:.5}", summary.min_tdcf_2019.unwrap()), "0.03881");
    let (low, high) = summary.eer_ci95.unwrap();
    assert!(low < summary.eer_asvspoof && summary.eer_asvspoof < high && high - low < 0.01);
}

/// Scores with ties within and between the classes.
fn tied(max: usize) -> impl Strategy<Value = Vec<f64>> {
    vec((-20_i32..20).prop_map(|level| f64::from(level) / 4.0), 1..max)
}

fn negated(scores: &[f64]) -> Vec<f64> {
    scores.iter().map(|score| -score).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn figures_stay_in_their_ranges(bonafide in tied(40), spoof in tied(40)) {
        let trials = Trials::new(&bonafide, &spoof).unwrap();
        let asv = AsvScores {
            target: vec![1.0, 2.0, 3.0, -1.0],
            nontarget: vec![0.0, -1.0, -2.0],
            spoof: vec![1.0, -3.0],
        };
        let asv = asv.operating_point().unwrap();
        for fraction in [
            trials.eer_asvspoof().rate,
            trials.eer_sklearn().rate,
            2.0 * trials.eer_rocch(),
            trials.auc(),
            trials.min_tdcf_2019(&asv).unwrap(),
            trials.min_tdcf_2021(&asv).unwrap(),
            trials.min_dcf(&DetectionCost::default()),
            trials.min_cllr(),
        ] {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&fraction), "{}", fraction);
        }
        prop_assert!(trials.cllr() >= trials.min_cllr() - 1e-12);
        for cost in [DetectionCost::default(), DetectionCost::new(0.3, 1.0, 1.0).unwrap()] {
            prop_assert!(trials.act_dcf(&cost) >= trials.min_dcf(&cost) - 1e-12);
        }
    }

    #[test]
    fn only_the_order_of_scores_counts(bonafide in tied(40), spoof in tied(40)) {
        let trials = Trials::new(&bonafide, &spoof).unwrap();
        let stretched = trials.map(|score| 3.0 + score.powi(3) / 10.0).unwrap();
        prop_assert_eq!(trials.eer_asvspoof().rate, stretched.eer_asvspoof().rate);
        prop_assert_eq!(trials.eer_sklearn().rate, stretched.eer_sklearn().rate);
        prop_assert_eq!(trials.eer_rocch(), stretched.eer_rocch());
        prop_assert_eq!(trials.auc(), stretched.auc());
        prop_assert_eq!(trials.min_cllr(), stretched.min_cllr());
        let cost = DetectionCost::default();
        prop_assert_eq!(trials.min_dcf(&cost), stretched.min_dcf(&cost));
    }

    #[test]
    fn swapping_the_classes_and_the_sign_changes_nothing(bonafide in tied(40), spoof in tied(40)) {
        let trials = Trials::new(&bonafide, &spoof).unwrap();
        let swapped = Trials::new(&negated(&spoof), &negated(&bonafide)).unwrap();
        prop_assert!(close(trials.auc(), swapped.auc()));
        prop_assert!(close(trials.eer_rocch(), swapped.eer_rocch()));
        prop_assert!(close(trials.cllr(), swapped.cllr()));
        prop_assert!(close(trials.min_cllr(), swapped.min_cllr()));
        // Of two nearest points the other one may come first now.
        let smaller = bonafide.len().min(spoof.len()) as f64;
        prop_assert!((trials.eer_asvspoof().rate - swapped.eer_asvspoof().rate).abs() <= 1.0 / smaller);
    }

    #[test]
    fn swapping_the_classes_mirrors_the_area(bonafide in tied(40), spoof in tied(40)) {
        let trials = Trials::new(&bonafide, &spoof).unwrap();
        let swapped = Trials::new(&spoof, &bonafide).unwrap();
        prop_assert!(close(trials.auc() + swapped.auc(), 1.0));
    }

    #[test]
    fn the_hull_lies_below_the_curve(bonafide in tied(40), spoof in tied(40)) {
        let trials = Trials::new(&bonafide, &spoof).unwrap();
        // The average at the nearest point can be below the crossing by half of the distance of the rates there.
        let step = 1.0 / bonafide.len().min(spoof.len()) as f64;
        prop_assert!(trials.eer_rocch() <= trials.eer_asvspoof().rate + step / 2.0);
        for point in trials.det_curve() {
            prop_assert!(trials.eer_rocch() <= point.miss.max(point.false_alarm) + 1e-12);
        }
    }

    #[test]
    fn thresholds_honour_the_rate(bonafide in tied(40), spoof in tied(40), rate in 0.0..=1.0) {
        let trials = Trials::new(&bonafide, &spoof).unwrap();
        let accepted = |scores: &[f64], threshold: f64| {
            scores.iter().filter(|score| **score > threshold).count() as f64 / scores.len() as f64
        };
        let by_false_alarm = trials.threshold_at_false_alarm(rate).unwrap();
        prop_assert!(by_false_alarm.false_alarm <= rate);
        let by_miss = trials.threshold_at_miss(rate).unwrap();
        prop_assert!(by_miss.miss <= rate);
        for point in [by_false_alarm, by_miss] {
            prop_assert!(close(point.false_alarm, accepted(&spoof, point.threshold)));
            prop_assert!(close(point.miss, 1.0 - accepted(&bonafide, point.threshold)));
        }
        for other in trials.det_curve() {
            prop_assert!(other.false_alarm > rate || other.miss >= by_false_alarm.miss);
            prop_assert!(other.miss > rate || other.false_alarm >= by_miss.false_alarm);
        }
    }

    #[test]
    fn resamples_keep_the_counts_and_the_scores(bonafide in tied(30), spoof in tied(30), seed: u64) {
        let trials = Trials::new(&bonafide, &spoof).unwrap();
        let distinct = trials.det_curve();
        let bootstrap = Bootstrap::new(20, 0.9, seed).unwrap();
        let (low, high) = bootstrap.interval(&trials, |resample| {
            assert_eq!((resample.bonafide(), resample.spoof()), (bonafide.len(), spoof.len()));
            assert!(resample.det_curve().iter().all(|point| distinct.iter().any(|d| d.threshold == point.threshold)));
            resample.auc()
        });
        prop_assert!(0.0 <= low && low <= high && high <= 1.0);
        prop_assert_eq!((low, high), bootstrap.interval(&trials, Trials::auc));
    }

    #[test]
    fn any_scores_calibrate_or_give_a_typed_error(
        bonafide in vec(prop_oneof![-1e3..1e3, any::<f64>()], 1..30),
        spoof in vec(prop_oneof![-1e3..1e3, any::<f64>()], 1..30),
        prior in 0.01..0.99,
    ) {
        let Ok(trials) = Trials::new(&bonafide, &spoof) else { return Ok(()) };
        if let Ok(calibration) = LogisticCalibration::fit(&trials, prior) {
            prop_assert!(calibration.scale.is_finite() && calibration.offset.is_finite());
        }
        if let Ok(calibration) = PavCalibration::fit(&trials) {
            let llrs: Vec<f64> = trials.det_curve().iter().map(|point| calibration.llr(point.threshold)).collect();
            prop_assert!(llrs.is_sorted());
        }
    }
}
