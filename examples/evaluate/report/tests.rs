//! What a report must hold whatever the scores and names are.

use std::error::Error;

use bonafide::metrics::{Summary, Trials};

use super::geometry::{Histogram, clip, deviate, equal_error_index, thin};
use super::html::{Escaped, count, decimal, percent};
use super::published::Published;
use super::tables::MOST_ROWS;
use super::{Group, Report, Row, write};

type Checked = Result<(), Box<dyn Error>>;

const HOSTILE: &str = "<script>alert(\"1\")</script> & 'x' \u{0}";

/// Scores that overlap, without a random generator.
fn overlapping(bonafide: usize, spoof: usize) -> bonafide::Result<Trials> {
    let class = |size: usize, mean: f64| -> Vec<f64> {
        let ranks = (0..size).map(|rank| (rank as f64 + 0.5) / size as f64);
        ranks.map(|rank| mean + deviate(rank)).collect()
    };
    Trials::new(&class(bonafide, 1.7), &class(spoof, -1.7))
}

/// The report of trials in which every string from outside is hostile.
fn hostile_report(trials: &Trials, dataset: &str, partition: &str, rows: usize) -> Result<String, Box<dyn Error>> {
    let mut figures = Summary::new(trials, None)?;
    figures.eer_ci95 = Some((0.01, f64::NAN));
    let row = |_| Row {
        value: HOSTILE,
        bonafide: trials.bonafide(),
        spoof: trials.spoof(),
        llr: Some(&figures),
        probability: Some(&figures),
    };
    let mut group = Group {
        column: HOSTILE,
        spoof_only: true,
        rows: (0..rows).map(row).collect(),
    };
    group.rows.push(Row {
        value: "only spoofed",
        bonafide: 0,
        spoof: 1,
        llr: None,
        probability: None,
    });
    let report = Report {
        dataset,
        partition,
        trials,
        llr: &figures,
        probability: Some(&figures),
        interval_method: HOSTILE,
        evaluation_windows: None,
        groups: &[group],
        facts: &[(HOSTILE, HOSTILE.to_owned())],
    };
    let mut page = Vec::new();
    write(&mut page, &report)?;
    Ok(String::from_utf8(page)?)
}

/// Checks that every element is closed, in order, and that no two have the same id.
fn well_formed(page: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, text) = part.split_once('>').ok_or_else(|| format!("unclosed tag: <{part}"))?;
        if text.contains('>') {
            return Err(format!("unescaped text: {text}"));
        }
        if tag.matches('"').count() % 2 != 0 {
            return Err(format!("unclosed attribute: <{tag}>"));
        }
        if let Some(id) = tag.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            if ids.contains(&id) {
                return Err(format!("id twice: {id}"));
            }
            ids.push(id);
        }
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        if let Some(closed) = name.strip_prefix('/') {
            if open.pop() != Some(closed) {
                return Err(format!("</{closed}> closes nothing"));
            }
        } else if !tag.ends_with('/') && !["!DOCTYPE", "meta"].contains(&name) {
            open.push(name);
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("never closed: {open:?}"))
    }
}

#[test]
fn escapes_whatever_means_something_in_html() {
    assert_eq!(
        Escaped(HOSTILE).to_string(),
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; \u{fffd}"
    );
}

#[test]
fn writes_numbers_for_readers() {
    assert_eq!(percent(0.012354), "1.24\u{a0}%");
    assert_eq!(percent(f64::NAN), "–");
    assert_eq!(decimal(-1.5), "−1.5000");
    assert_eq!(decimal(f64::INFINITY), "∞");
    assert_eq!(
        [count(7), count(999), count(7355), count(1_234_567)],
        ["7", "999", "7,355", "1,234,567"]
    );
}

#[test]
fn a_report_is_well_formed_and_needs_nothing_else() -> Checked {
    for (dataset, partition) in [("asvspoof2019-la", "eval"), (HOSTILE, HOSTILE), ("list", "")] {
        let page = hostile_report(&overlapping(40, 300)?, dataset, partition, 3)?;
        well_formed(&page)?;
        for absent in [
            "<script", "alert(\"", "src=", "href=", "url(", "@import", "http", "NaN", "\"#0000",
        ] {
            assert!(!page.contains(absent), "{absent:?} in the report of {dataset}");
        }
        assert_eq!(page.matches("role=\"img\"").count(), 3);
        assert_eq!(page.matches("<desc").count(), 3);
    }
    Ok(())
}

#[test]
fn a_report_of_odd_scores_is_well_formed() -> Checked {
    let odd: [(&[f64], &[f64]); 8] = [
        (&[0.0], &[0.0]),
        (&[1.0], &[-1.0]),
        (&[-1.0], &[1.0]),
        (&[f64::INFINITY, 0.0], &[f64::NEG_INFINITY, 1.0]),
        (&[f64::INFINITY], &[f64::INFINITY]),
        (&[f64::MAX, 1.0], &[f64::MIN, 2.0]),
        (&[1e300], &[1e300]),
        (&[1e15, 1e-300], &[1e15 + 1.0, 0.0]),
    ];
    for (bonafide, spoof) in odd {
        let page = hostile_report(&Trials::new(bonafide, spoof)?, "wavefake", "", 1)?;
        well_formed(&page).map_err(|error| format!("{bonafide:?} and {spoof:?}: {error}"))?;
        assert!(!page.contains("NaN"), "{bonafide:?} and {spoof:?}");
    }
    Ok(())
}

#[test]
fn a_report_of_many_trials_and_values_is_small() -> Checked {
    let page = hostile_report(&overlapping(7355, 63_882)?, "asvspoof2019-la", "eval", 5000)?;
    assert!(page.len() < 300_000, "{} bytes", page.len());
    assert_eq!(page.matches("<tr><th scope=\"row\">&lt;script").count(), MOST_ROWS);
    assert!(page.contains("metrics.json has all"));
    Ok(())
}

#[test]
fn thinning_keeps_the_ends_and_the_equal_error_rate() -> Checked {
    let curve = overlapping(7355, 63_882)?.det_curve();
    let eer = equal_error_index(&curve);
    let points: Vec<(f64, f64)> = curve.iter().map(|point| (point.false_alarm, point.miss)).collect();
    let step = 0.01;
    let thinned = thin(&points, step, eer);
    assert!(thinned.len() < 210, "{} points", thinned.len());
    assert_eq!(thinned.first(), points.first());
    assert_eq!(thinned.last(), points.last());
    assert!(thinned.contains(&points[eer]));
    for (x, y) in &points {
        let near = thinned
            .iter()
            .any(|(kept_x, kept_y)| (x - kept_x).abs() < step && (y - kept_y).abs() < step);
        assert!(near, "nothing was kept near ({x}, {y})");
    }
    Ok(())
}

#[test]
fn lines_are_cut_at_the_axes() {
    let axis = -1.0..1.0;
    let across = [(0.5, -9.0), (0.5, 9.0)];
    assert_eq!(clip(&across, &axis), [vec![(0.5, -1.0), (0.5, 1.0)]]);
    let around_the_corner = [(9.0, -9.0), (-9.0, -9.0), (-9.0, 9.0)];
    assert_eq!(clip(&around_the_corner, &axis), Vec::<Vec<(f64, f64)>>::new());
    let stairs = [(2.0, 0.0), (0.0, 0.0), (0.0, 0.5), (-2.0, 0.5)];
    assert_eq!(
        clip(&stairs, &axis),
        [vec![(1.0, 0.0), (0.0, 0.0), (0.0, 0.5), (-1.0, 0.5)]]
    );
}

#[test]
fn a_histogram_holds_every_trial() -> Checked {
    let trials = Trials::new(&[f64::INFINITY, 1.0, 2.0, 3.0], &[f64::NEG_INFINITY, -1.0, 0.0, 1.0])?;
    let histogram = Histogram::new(&trials.det_curve(), 10);
    for class in [&histogram.bonafide, &histogram.spoof] {
        assert!((class.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{class:?}");
    }
    assert!(histogram.bonafide[9] >= 0.5 && histogram.spoof[0] >= 0.5);
    Ok(())
}

#[test]
fn published_figures_are_those_of_the_same_data() -> Checked {
    let published = Published::load()?;
    let eval = published.find("asvspoof2019-la", "eval").ok_or("no 2019 LA eval")?;
    assert_eq!((eval.eer, eval.windows), (0.0555, Some(91_386)));
    assert_eq!(eval.group_eer("attack", "A10"), Some(0.1554));
    assert_eq!(eval.group_eer("attack", "A01"), None);
    assert_eq!(eval.group_eer("codec", "gsm"), None);
    let dev = published.find("asvspoof2019-la", "dev").ok_or("no 2019 LA dev")?;
    assert_eq!(dev.eer, 0.0069);
    assert!(published.find("wavefake", "").is_some());
    for (dataset, partition) in [
        ("asvspoof2019-la", "train"),
        ("asvspoof2021-la", "progress"),
        ("list", "eval"),
    ] {
        assert!(published.find(dataset, partition).is_none(), "{dataset}, {partition}");
    }

    let trials = overlapping(40, 300)?;
    let marked = "Published equal error rate</dt><dd><strong>5.55\u{a0}%</strong>";
    assert!(hostile_report(&trials, "asvspoof2019-la", "eval", 1)?.contains(marked));
    assert!(!hostile_report(&trials, "asvspoof2019-la", "train", 1)?.contains("Published equal error rate"));
    Ok(())
}
