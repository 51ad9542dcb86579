//! A picture as PNG.

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts as _};
use png::{BitDepth, ColorType, Compression, Encoder};

use super::canvas::{Anchor, Bar, Canvas, HEIGHT, Ink, WIDTH};
use super::colours::palette;
use super::spectrogram::Spectrogram;

/// Pixels of a unit.
const SCALE: f64 = 2.0;
/// Pixels of a dot of the font, whose letters have eight by eight.
const DOT: usize = 2;

/// The image alone.
pub(super) fn indexed(image: &Spectrogram) -> Vec<u8> {
    encode(image.width, image.height, ColorType::Indexed, &image.levels)
}

pub(super) fn file(draw: impl FnOnce(&mut dyn Canvas)) -> Vec<u8> {
    let (width, height) = ((WIDTH * SCALE) as usize, (HEIGHT * SCALE) as usize);
    let mut raster = Raster {
        width,
        pixels: vec![[0xff; 3]; width * height],
    };
    draw(&mut raster);
    encode(width, height, ColorType::Rgb, raster.pixels.as_flattened())
}

fn encode(width: usize, height: usize, color: ColorType, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    if color == ColorType::Indexed {
        encoder.set_palette(palette().as_flattened().to_vec());
    }
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(data));
    // Memory takes everything, and the sizes are right by construction.
    debug_assert!(written.is_ok(), "{written:?}");
    bytes
}

struct Raster {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Raster {
    /// The pixels of a rectangle, and for each how far it is across and down, from 0 to 1. What is outside is left out.
    fn each(&mut self, bar: Bar, mut paint: impl FnMut(&mut [u8; 3], f64, f64)) {
        let edges = |start: f64, length: f64, end: usize| {
            let first = (start * SCALE).round().max(0.0) as usize;
            // However thin, it is there.
            let last = (((start + length) * SCALE).round() as usize).max(first + 1);
            first.min(end)..last.min(end)
        };
        let columns = edges(bar.x, bar.width, self.width);
        let rows = edges(bar.y, bar.height, self.pixels.len() / self.width);
        let (across, down) = (columns.len() as f64, rows.len() as f64);
        for (row, y) in rows.enumerate() {
            let pixels = &mut self.pixels[y * self.width..][columns.clone()];
            for (column, pixel) in pixels.iter_mut().enumerate() {
                paint(pixel, column as f64 / across, row as f64 / down);
            }
        }
    }
}

impl Canvas for Raster {
    fn bars(&mut self, ink: Ink, bars: &[Bar]) {
        let (_, colour) = ink.look();
        for bar in bars {
            self.each(*bar, |pixel, _, _| *pixel = colour);
        }
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        let dot = DOT as f64 / SCALE;
        let letter = 8.0 * dot;
        let length = letter * text.chars().count() as f64;
        let start = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - length / 2.0,
            Anchor::End => x - length,
        };
        let mut dots = Vec::new();
        for (index, character) in text.chars().enumerate() {
            let glyph = BASIC_FONTS.get(character).or_else(|| LATIN_FONTS.get(character));
            let left = start + letter * index as f64;
            for (row, bits) in glyph.unwrap_or_default().into_iter().enumerate() {
                for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                    // The baseline is below the seventh row.
                    dots.push(Bar {
                        x: left + dot * f64::from(column),
                        y: y + dot * (row as f64 - 7.0),
                        width: dot,
                        height: dot,
                    });
                }
            }
        }
        self.bars(Ink::Text, &dots);
    }

    fn image(&mut self, place: Bar, image: &Spectrogram) {
        let palette = palette();
        self.each(place, |pixel, across, down| {
            let (column, row) = (across * image.width as f64, down * image.height as f64);
            let level = image.levels[row as usize * image.width + column as usize];
            *pixel = palette[usize::from(level)];
        });
    }
}
