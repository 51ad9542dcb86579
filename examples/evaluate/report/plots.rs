//! The plots, as SVG that takes its colours from the page's stylesheet.

use std::io;
use std::ops::Range;

use bonafide::metrics::OperatingPoint;
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, KeyPointWeight, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;

use super::geometry::{self, Histogram, Point, deviate};
use super::html::Escaped;

/// plotters rounds to whole pixels, so it draws this many times larger than the plot is shown.
const SCALE: u32 = 4;

/// A plot's width and height, in pixels as shown: that of a phone, so that its text stays legible there.
const SIZE: (u32, u32) = (360, 350);

/// The least distance of two points of a curve, in pixels as shown: one as drawn.
const STEP: f64 = 1.0 / SCALE as f64;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// What something is drawn with. It becomes a class, `stroke-NAME` or `fill-NAME`, because plotters itself knows fixed
/// colours only, which would not follow a change between light and dark.
#[derive(Clone, Copy)]
enum Ink {
    Text,
    Grid,
    Guide,
    Curve,
    Bonafide,
    Spoof,
    Published,
}

impl Ink {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Text, "text"),
        (Self::Grid, "grid"),
        (Self::Guide, "guide"),
        (Self::Curve, "curve"),
        (Self::Bonafide, "bonafide"),
        (Self::Spoof, "spoof"),
        (Self::Published, "published"),
    ];

    /// A colour that only marks the place of the class.
    fn color(self) -> RGBColor {
        RGBColor(0, 0, self as u8)
    }

    fn line(self, width: u32) -> ShapeStyle {
        self.color().stroke_width(width * SCALE)
    }
}

/// A plot's name in the page, what it is, and what it shows, for those who do not see it.
pub(super) struct Caption<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
}

/// Whether an equal error rate is within the axes of its DET plot.
pub(super) fn det_shows(eer: f64) -> bool {
    DetAxis::around(eer).range().contains(&deviate(eer))
}

/// Detection error trade-off.
pub(super) fn det(
    caption: &Caption<'_>,
    curve: &[OperatingPoint],
    eer: f64,
    published: Option<f64>,
) -> io::Result<String> {
    let ticks = DetAxis::around(eer);
    let axis = ticks.range();
    let line: Vec<Point> = curve
        .iter()
        .map(|point| (deviate(point.false_alarm), deviate(point.miss)))
        .collect();
    let step = STEP * (axis.end - axis.start) / SIDE;
    let line = geometry::thin(&line, step, geometry::equal_error_index(curve));
    let at = |rate: f64| {
        let deviate = deviate(rate);
        axis.contains(&deviate).then_some((deviate, deviate))
    };
    svg(caption, SIZE, |canvas| {
        let mut chart = builder(canvas).build_cartesian_2d(ticks.clone(), ticks)?;
        let mut mesh = chart.configure_mesh();
        in_our_style(&mut mesh)
            .x_desc("False alarms: spoofed speech accepted (%)")
            .y_desc("Misses: real speech rejected (%)")
            .draw()?;
        chart.draw_series([path(
            vec![(axis.start, axis.start), (axis.end, axis.end)],
            Ink::Guide.line(1),
        )])?;
        let parts = geometry::clip(&line, &axis);
        chart.draw_series(parts.into_iter().map(|part| path(part, Ink::Curve.line(2))))?;
        chart.draw_series(published.and_then(at).map(published_mark))?;
        chart.draw_series(at(eer).map(eer_mark))?;
        Ok(())
    })
}

/// Receiver operating characteristic.
pub(super) fn roc(caption: &Caption<'_>, curve: &[OperatingPoint], published: Option<f64>) -> io::Result<String> {
    let line: Vec<Point> = curve
        .iter()
        .map(|point| (point.false_alarm, 1.0 - point.miss))
        .collect();
    let eer = geometry::equal_error_index(curve);
    let mark = line.get(eer).copied();
    let line = geometry::thin(&line, STEP / SIDE, eer);
    svg(caption, SIZE, |canvas| {
        let mut chart = builder(canvas).build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        let mut mesh = chart.configure_mesh();
        in_our_style(&mut mesh)
            .x_desc("False alarms: spoofed speech accepted (%)")
            .y_desc("Hits: real speech accepted (%)")
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|x| percent(*x))
            .y_label_formatter(&|y| percent(*y))
            .light_line_style(TRANSPARENT)
            .draw()?;
        chart.draw_series([path(vec![(0.0, 1.0), (1.0, 0.0)], Ink::Guide.line(1))])?;
        chart.draw_series([path(line, Ink::Curve.line(2))])?;
        chart.draw_series(published.map(|rate| published_mark((rate, 1.0 - rate))))?;
        chart.draw_series(mark.map(eer_mark))?;
        Ok(())
    })
}

/// The scores of both classes, with the threshold of the EER.
pub(super) fn histogram(caption: &Caption<'_>, curve: &[OperatingPoint], threshold: f64) -> io::Result<String> {
    let histogram = Histogram::new(curve, 60);
    let bonafide = histogram.outline(&histogram.bonafide);
    let spoof = histogram.outline(&histogram.spoof);
    let tallest = bonafide.iter().chain(&spoof).map(|bar| bar.1).fold(0.0, f64::max) * 1.05;
    svg(caption, SIZE, |canvas| {
        let mut chart = builder(canvas).build_cartesian_2d(histogram.scores.clone(), 0.0..tallest)?;
        let mut mesh = chart.configure_mesh();
        in_our_style(&mut mesh)
            .x_desc("Score (log-likelihood ratio)")
            .y_desc("Share of its class (%)")
            .x_labels(7)
            .y_labels(5)
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| percent(*y))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (outline, ink) in [(bonafide, Ink::Bonafide), (spoof, Ink::Spoof)] {
            chart.draw_series(AreaSeries::new(outline.clone(), 0.0, ink.color().mix(0.2)))?;
            chart.draw_series([path(outline, ink.line(2))])?;
        }
        if histogram.scores.contains(&threshold) {
            chart.draw_series([path(vec![(threshold, 0.0), (threshold, tallest)], Ink::Guide.line(2))])?;
        }
        Ok(())
    })
}

/// About how wide and high the plane of a square plot is shown.
const SIDE: f64 = 285.0;

/// The rates that a DET plot names, from one end of its axes to the other: the region around the EER.
fn det_ticks(eer: f64) -> &'static [f64] {
    match eer {
        ..0.002 => &[0.0001, 0.0005, 0.002, 0.01, 0.03, 0.1, 0.2],
        ..0.25 => &[0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4],
        _ => &[0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999],
    }
}

/// An axis in normal deviates that names rates.
#[derive(Clone)]
struct DetAxis {
    rates: &'static [f64],
    deviates: Vec<f64>,
}

impl DetAxis {
    fn around(eer: f64) -> Self {
        let rates = det_ticks(eer);
        let deviates = rates.iter().copied().map(deviate).collect();
        Self { rates, deviates }
    }
}

impl Ranged for DetAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        let range = self.range();
        let share = (value - range.start) / (range.end - range.start);
        pixels.0 + (share * f64::from(pixels.1 - pixels.0)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        match hint.weight() {
            KeyPointWeight::Bold => self.deviates.clone(),
            KeyPointWeight::Any => Vec::new(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.deviates[0]..self.deviates[self.deviates.len() - 1]
    }
}

impl ValueFormatter<f64> for DetAxis {
    /// The tick at a deviate. Others are never asked for.
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.deviates.iter().position(|tick| tick == value);
        tick.map_or_else(String::new, |tick| percent(self.rates[tick]))
    }
}

/// A fraction as percent, without the sign.
fn percent(fraction: f64) -> String {
    number(fraction * 100.0)
}

/// A number without the digits that only rounding errors have, and with a real minus sign.
fn number(value: f64) -> String {
    let rounded = (value * 1e4).round() / 1e4 + 0.0; // not -0
    rounded.to_string().replace('-', "−")
}

fn text() -> TextStyle<'static> {
    // plotters divides sizes by 1.24.
    ("sans-serif", 16.0 * f64::from(SCALE))
        .into_font()
        .color(&Ink::Text.color())
}

/// Axes, grid and labels as all plots have them.
fn in_our_style<'m, 'a, 'b, X: Ranged, Y: Ranged, DB: DrawingBackend>(
    mesh: &'m mut MeshStyle<'a, 'b, X, Y, DB>,
) -> &'m mut MeshStyle<'a, 'b, X, Y, DB> {
    mesh.label_style(text())
        .set_all_tick_mark_size(4 * SCALE)
        .axis_desc_style(text())
        .axis_style(Ink::Text.line(1))
        .bold_line_style(Ink::Grid.line(1))
}

fn path(points: Vec<Point>, style: ShapeStyle) -> PathElement<Point> {
    PathElement::new(points, style)
}

fn eer_mark(at: Point) -> Circle<Point, u32> {
    Circle::new(at, 5 * SCALE, Ink::Curve.color().filled())
}

fn published_mark(at: Point) -> TriangleMarker<Point, u32> {
    TriangleMarker::new(at, 7 * SCALE, Ink::Published.color().filled())
}

fn builder<'a, 'b>(canvas: &'a Canvas<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(canvas);
    builder
        .margin(6 * SCALE)
        .margin_right(14 * SCALE)
        .x_label_area_size(46 * SCALE)
        .y_label_area_size(54 * SCALE);
    builder
}

/// Draws on a canvas of a size in pixels, and makes the drawing part of a page.
fn svg(
    caption: &Caption<'_>,
    (width, height): (u32, u32),
    draw: impl for<'a> FnOnce(&Canvas<'a>) -> Drawn,
) -> io::Result<String> {
    let mut drawing = String::new();
    {
        let canvas = SVGBackend::with_string(&mut drawing, (width * SCALE, height * SCALE)).into_drawing_area();
        draw(&canvas)
            .and_then(|()| canvas.present())
            .map_err(io::Error::other)?;
    }
    for (ink, name) in Ink::ALL {
        let code = format!("#{:06X}", ink as u8);
        drawing = drawing
            .replace(&format!("stroke=\"{code}\""), &format!("class=\"stroke-{name}\""))
            .replace(&format!("fill=\"{code}\""), &format!("class=\"fill-{name}\""));
    }
    // The opening tag gives a fixed size; the page gives its own, with a name for those who do not see the plot.
    let elements = drawing.split_once('>').map_or("", |(_, elements)| elements);
    let Caption { id, title, description } = caption;
    Ok(format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-title {id}-description\">\n\
         <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-description\">{}</desc>{elements}",
        width * SCALE,
        height * SCALE,
        Escaped(title),
        Escaped(description),
    ))
}
