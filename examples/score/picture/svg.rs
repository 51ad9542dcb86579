//! A picture as SVG.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::canvas::{Anchor, Bar, Canvas, HEIGHT, Ink, WIDTH};
use super::raster;
use super::spectrogram::Spectrogram;
use crate::markup::Escaped;

/// An element of a page, whose stylesheet says what the inks look like.
pub(super) fn element(description: &str, draw: impl FnOnce(&mut dyn Canvas)) -> String {
    render(description, "", "", draw)
}

/// A file of its own, with what the inks look like.
pub(super) fn file(description: &str, draw: impl FnOnce(&mut dyn Canvas)) -> String {
    let mut style = "text { font: 15px system-ui, sans-serif }".to_owned();
    let inks = [
        Ink::Panel,
        Ink::Grid,
        Ink::Text,
        Ink::Wave,
        Ink::Spoof,
        Ink::Bonafide,
        Ink::Neither,
        Ink::Threshold,
    ];
    for ink in inks {
        let (name, [red, green, blue]) = ink.look();
        let _ = write!(style, " .ink-{name} {{ fill: #{red:02x}{green:02x}{blue:02x} }}");
    }
    let title = Escaped(description);
    let before = format!(
        "<title>{title}</title>\n<style>{style}</style>\n<path fill=\"#fff\" d=\"M0 0H{WIDTH}V{HEIGHT}H0z\"/>\n"
    );
    render(description, " xmlns=\"http://www.w3.org/2000/svg\"", &before, draw)
}

fn render(description: &str, namespace: &str, before: &str, draw: impl FnOnce(&mut dyn Canvas)) -> String {
    let label = Escaped(description);
    let mut svg = Svg(format!(
        "<svg{namespace} class=\"picture\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n{before}"
    ));
    draw(&mut svg);
    svg.0.push_str("</svg>\n");
    svg.0
}

struct Svg(String);

// Writing to a string can't fail.
impl Canvas for Svg {
    fn bars(&mut self, ink: Ink, bars: &[Bar]) {
        if bars.is_empty() {
            return;
        }
        let _ = write!(self.0, "<path class=\"ink-{}\" d=\"", ink.look().0);
        for bar in bars {
            let Bar { x, y, width, height } = bar;
            let _ = write!(self.0, "M{x:.1} {y:.1}h{width:.2}v{height:.1}h-{width:.2}z");
        }
        self.0.push_str("\"/>\n");
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = Escaped(text);
        let _ = writeln!(
            self.0,
            "<text class=\"ink-text\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    fn image(&mut self, place: Bar, image: &Spectrogram) {
        let Bar { x, y, width, height } = place;
        let data = STANDARD.encode(raster::indexed(image));
        let _ = writeln!(
            self.0,
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             href=\"data:image/png;base64,{data}\"/>"
        );
    }
}
