//! What a picture is drawn with. All of it is upright bars, text and one image, so that drawing is easy in any format.

use super::spectrogram::Spectrogram;

/// The size of a picture, in units of its own.
pub(super) const WIDTH: f64 = 800.0;
pub(super) const HEIGHT: f64 = 566.0;

/// What something is drawn in; the stylesheet or the palette says how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Panel,
    Grid,
    Text,
    Wave,
    Spoof,
    Bonafide,
    /// P(spoof) that means nothing.
    Neither,
    Threshold,
}

impl Ink {
    /// Its name and its colour on white. Blue and vermilion are Okabe and Ito's, which remain distinct to colour-blind
    /// readers.
    pub(super) const fn look(self) -> (&'static str, [u8; 3]) {
        match self {
            Self::Panel => ("panel", [0xf4, 0xf6, 0xf8]),
            Self::Grid => ("grid", [0xc9, 0xd1, 0xd9]),
            Self::Text => ("text", [0x1b, 0x22, 0x29]),
            Self::Wave => ("wave", [0x4c, 0x57, 0x61]),
            Self::Spoof => ("spoof", [0xc4, 0x4f, 0x00]),
            Self::Bonafide => ("bonafide", [0x00, 0x72, 0xb2]),
            Self::Neither => ("neither", [0x8a, 0x94, 0x9e]),
            Self::Threshold => ("threshold", [0x1b, 0x22, 0x29]),
        }
    }
}

/// An upright rectangle: a panel, a bar of a chart, a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Which point of a text its place is. The place is on the baseline.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

pub(super) trait Canvas {
    fn bars(&mut self, ink: Ink, bars: &[Bar]);

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str);

    fn image(&mut self, place: Bar, image: &Spectrogram);
}
