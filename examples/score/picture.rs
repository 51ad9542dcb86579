//! A picture of a file: waveform, spectrogram and P(spoof), on one time axis.

mod axis;
mod canvas;
mod colours;
mod envelope;
mod layout;
mod raster;
mod sound;
mod spectrogram;
mod steps;
mod svg;

use std::fs;
use std::path::Path;

use bonafide::Score;

use sound::Sound;
pub(crate) use steps::Step;

pub(crate) struct Picture {
    sound: Sound,
    pub(crate) steps: Vec<Step>,
    threshold: f32,
    /// Without speech P(spoof) is drawn in neither colour.
    speech: bool,
}

impl Picture {
    /// Reads a file that has been scored once more, in memory that does not grow with its length.
    pub(crate) fn of(path: &Path, score: &Score) -> Result<Self, String> {
        if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return Err("what comes through a pipe can be read only once".to_owned());
        }
        let sound = Sound::read(path, score.duration_seconds).map_err(|error| error.to_string())?;
        Ok(Self {
            sound,
            steps: steps::of(&score.windows),
            threshold: score.threshold,
            speech: score.verdict().is_some(),
        })
    }

    /// The largest sample, 0 to 1 and maybe beyond.
    pub(crate) fn peak(&self) -> f32 {
        self.sound.envelope.peak()
    }

    /// An SVG element for a page whose stylesheet has the colours, with a description for those who do not see it.
    pub(crate) fn svg_element(&self, description: &str) -> String {
        svg::element(description, |canvas| layout::draw(self, canvas))
    }

    /// An SVG file.
    pub(crate) fn svg_file(&self, description: &str) -> String {
        svg::file(description, |canvas| layout::draw(self, canvas))
    }

    /// A PNG file.
    pub(crate) fn png_file(&self) -> Vec<u8> {
        raster::file(|canvas| layout::draw(self, canvas))
    }
}
