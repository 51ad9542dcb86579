//! What is where in a picture.

use super::Picture;
use super::axis::{self, Tick};
use super::canvas::{Anchor, Bar, Canvas, HEIGHT, Ink, WIDTH};
use super::steps::Step;

/// Left of the panels is room for their scales, and right of them for half a label of the time axis.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 34.0;
const ACROSS: f64 = WIDTH - LEFT - RIGHT;

/// The title's baseline is so far above its panel.
const TITLE: f64 = 12.0;

/// A panel's top and height.
type Panel = (f64, f64);
const WAVE: Panel = (36.0, 90.0);
const SPECTROGRAM: Panel = (170.0, 160.0);
const SPOOF: Panel = (374.0, 120.0);

pub(super) fn draw(picture: &Picture, canvas: &mut dyn Canvas) {
    for panel in [WAVE, SPECTROGRAM, SPOOF] {
        canvas.bars(Ink::Panel, &[across(panel)]);
    }
    let ticks = axis::ticks(picture.sound.seconds);
    wave(picture, canvas);
    spectrogram(picture, canvas);
    spoof(picture, &ticks, canvas);
    time(picture, &ticks, canvas);
}

fn wave(picture: &Picture, canvas: &mut dyn Canvas) {
    let (top, height) = WAVE;
    let envelope = &picture.sound.envelope;
    let peak = envelope.peak();
    title(
        canvas,
        WAVE,
        &format!("Waveform (height: ±{:.1} % of full scale)", 100.0 * peak),
    );
    // Silence is a line.
    let scale = f64::from(if peak > 0.0 { peak } else { 1.0 });
    let width = ACROSS / envelope.columns.len() as f64;
    let at = |sample: f32| top + height * (0.5 - 0.5 * f64::from(sample) / scale);
    let bars: Vec<Bar> = envelope
        .columns
        .iter()
        .enumerate()
        .map(|(column, &(low, high))| Bar {
            x: LEFT + column as f64 * width,
            y: at(high) - 0.5,
            width,
            height: at(low) - at(high) + 1.0,
        })
        .collect();
    canvas.bars(Ink::Wave, &bars);
}

fn spectrogram(picture: &Picture, canvas: &mut dyn Canvas) {
    title(canvas, SPECTROGRAM, "Spectrogram (kHz)");
    canvas.image(across(SPECTROGRAM), &picture.sound.spectrogram);
    for (share, label) in [(1.0, "8"), (0.5, "4"), (0.0, "0")] {
        scale(canvas, SPECTROGRAM, share, label);
    }
}

fn spoof(picture: &Picture, ticks: &[Tick], canvas: &mut dyn Canvas) {
    let threshold = picture.threshold;
    let windows = picture.steps.iter().map(|step| step.windows).max();
    let what = match windows.unwrap_or(1) {
        1 => "P(spoof) of each window".to_owned(),
        many => format!("Highest P(spoof) of every {many} windows"),
    };
    title(canvas, SPOOF, &format!("{what} (line: threshold, {threshold:.2})"));
    let (top, height) = SPOOF;
    let seconds = picture.sound.seconds;
    let lines: Vec<Bar> = [0.0, 0.5, 1.0]
        .into_iter()
        .map(|share| across((top + share * height - 0.5, 1.0)))
        .chain(ticks.iter().map(|tick| Bar {
            x: x(tick.seconds, seconds) - 0.5,
            y: top,
            width: 1.0,
            height,
        }))
        .collect();
    canvas.bars(Ink::Grid, &lines);
    let ink = |step: &Step| match picture.speech {
        false => Ink::Neither,
        true if step.spoof_probability > threshold => Ink::Spoof,
        true => Ink::Bonafide,
    };
    for wanted in [Ink::Bonafide, Ink::Spoof, Ink::Neither] {
        let bars: Vec<Bar> = picture
            .steps
            .iter()
            .filter(|step| ink(step) == wanted)
            .map(|step| {
                // However small, it is to be seen that there is one.
                let tall = (height * f64::from(step.spoof_probability)).max(2.0);
                let (left, right) = (x(step.left, seconds), x(step.right, seconds));
                // A gap between bars that are wide enough for one.
                let gap = if right - left > 6.0 { 1.0 } else { 0.0 };
                Bar {
                    x: left,
                    y: top + height - tall,
                    width: right - left - gap,
                    height: tall,
                }
            })
            .collect();
        canvas.bars(wanted, &bars);
    }
    let y = top + height * (1.0 - f64::from(threshold)) - 1.0;
    let dashes: Vec<Bar> = (0..)
        .map(|dash| LEFT + 12.0 * f64::from(dash))
        .take_while(|&x| x + 8.0 <= LEFT + ACROSS)
        .map(|x| Bar {
            x,
            y,
            width: 8.0,
            height: 2.0,
        })
        .collect();
    canvas.bars(Ink::Threshold, &dashes);
    for (share, label) in [(1.0, "1"), (0.5, "0.5"), (0.0, "0")] {
        scale(canvas, SPOOF, share, label);
    }
}

fn time(picture: &Picture, ticks: &[Tick], canvas: &mut dyn Canvas) {
    let (top, height) = SPOOF;
    for tick in ticks {
        let x = x(tick.seconds, picture.sound.seconds);
        let mark = Bar {
            x: x - 0.5,
            y: top + height,
            width: 1.0,
            height: 6.0,
        };
        canvas.bars(Ink::Text, &[mark]);
        canvas.text(x, top + height + 30.0, Anchor::Middle, &tick.label);
    }
    let unit = axis::unit(picture.sound.seconds);
    canvas.text(
        LEFT + ACROSS / 2.0,
        HEIGHT - 8.0,
        Anchor::Middle,
        &format!("Time ({unit})"),
    );
}

fn title(canvas: &mut dyn Canvas, (top, _): Panel, title: &str) {
    canvas.text(LEFT, top - TITLE, Anchor::Start, title);
}

/// A label of a panel's scale, at a share of its height.
fn scale(canvas: &mut dyn Canvas, (top, height): Panel, share: f64, label: &str) {
    // The middle of the digits is at the value's height.
    let y = top + height * (1.0 - share) + 5.0;
    canvas.text(LEFT - 8.0, y, Anchor::End, label);
}

fn across((top, height): Panel) -> Bar {
    Bar {
        x: LEFT,
        y: top,
        width: ACROSS,
        height,
    }
}

/// Where a time is on the axis.
fn x(time: f64, seconds: f64) -> f64 {
    LEFT + ACROSS * (time / seconds).clamp(0.0, 1.0)
}
