//! The curves of a run: loss and equal error rate by epoch, as an SVG.

use std::path::Path;

use plotters::prelude::*;

use crate::log::Epoch;
use crate::{Error, Result, files};

const SIZE: (u32, u32) = (900, 380);

/// Draws the losses on the left and the error rates on the right.
pub(crate) fn draw(path: &Path, log: &[Epoch]) -> Result<()> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        let (left, right) = area.split_horizontally(SIZE.0 / 2);
        let curve = |value: fn(&Epoch) -> f64| log.iter().map(|epoch| (epoch.epoch as f64, value(epoch))).collect();
        let losses = [
            Curve::new("training", BLUE, curve(|epoch| epoch.train_loss)),
            Curve::new("development", RED, curve(|epoch| epoch.dev_loss)),
        ];
        panel(&left, "Loss", &losses)?;
        let rates = [
            Curve::new("windows", RED, curve(|epoch| 100.0 * epoch.dev_eer)),
            Curve::new("clips", GREEN, curve(|epoch| 100.0 * epoch.dev_clip_eer)),
        ];
        panel(&right, "Equal error rate on the development set, %", &rates)?;
        area.present().map_err(failed)?;
    }
    files::write(path, svg.as_bytes())
}

struct Curve {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

impl Curve {
    fn new(name: &'static str, color: RGBColor, points: Vec<(f64, f64)>) -> Self {
        Self { name, color, points }
    }
}

type Panel<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel(area: &Panel<'_>, title: &str, curves: &[Curve]) -> Result<()> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let last = points().map(|(x, _)| *x).fold(2.0, f64::max);
    let highest = points().map(|(_, y)| *y).filter(|y| y.is_finite()).fold(1e-6, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(44)
        .build_cartesian_2d(1.0..last, 0.0..highest * 1.05)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        // No more labels than epochs: halves would be rounded to the same number twice.
        .x_labels((last as usize).min(10))
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .draw()
        .map_err(failed)?;
    for curve in curves {
        let style = curve.color.stroke_width(2);
        let line = LineSeries::new(curve.points.iter().copied(), style).point_size(3);
        let (color, name) = (curve.color, curve.name);
        chart
            .draw_series(line)
            .map_err(failed)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(failed)?;
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Plot(error.to_string())
}
