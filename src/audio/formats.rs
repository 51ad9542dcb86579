//! FLAC, MP3, Ogg Vorbis and AAC, through [`symphonia`].

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::audio::well_known::{CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_ADTS, FORMAT_ID_MP3};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::{Audio, check_channels, check_rate, mp4, vorbis};
use crate::{Error, Result};

/// A compressed file, decoded packet by packet.
///
/// Fuzzing found damaged Ogg and M4A files on which `symphonia` 0.6.1 panics (an assertion on Vorbis codebooks; sums
/// that overflow, in builds that check). What it leaves behind is dropped here, so its panic ends as an error, though
/// the panic hook has seen it. Where panics abort, it aborts.
pub(super) struct Compressed<'s> {
    format: &'static str,
    /// `None` after the end, an error or a panic.
    track: Option<OpenTrack<'s>>,
    pub(super) sample_rate: u32,
    pub(super) channels: u16,
    /// What was decoded to learn the rate and the channels.
    first: Vec<f32>,
}

impl<'s> Compressed<'s> {
    /// Decodes the first samples of `source`, whose start says `format`.
    pub(super) fn open(format: &'static str, mut source: Box<dyn MediaSource + 's>) -> Result<Self> {
        if format == "MP4" {
            mp4::check_fragments(&mut source)?;
        }
        let mut first = Vec::new();
        let opened = contained(format, || {
            let mut track = OpenTrack::open(format, source)?;
            let more = track.next_packet(&mut first)?;
            Ok((track, more))
        });
        let (track, more) = opened?;
        if first.is_empty() {
            return Err(Error::EmptyAudio { path: None });
        }
        Ok(Self {
            format,
            sample_rate: track.sample_rate,
            channels: track.channels,
            track: more.then_some(track),
            first,
        })
    }

    /// Appends the next frames to `samples`; `false` at the end.
    pub(super) fn next_block(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        if !self.first.is_empty() {
            samples.append(&mut self.first);
            return Ok(true);
        }
        let Some(mut track) = self.track.take() else {
            return Ok(false);
        };
        let more = contained(self.format, || track.next_packet(samples))?;
        self.track = more.then_some(track);
        Ok(more)
    }
}

/// Runs the decoder; a panic ends as an error.
fn contained<T>(format: &'static str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic may leave in disorder is the decoder, which its owner drops, and samples, which are then not used.
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(invalid(format, "the decoder panicked")))
}

/// A track that is being decoded.
struct OpenTrack<'s> {
    format: &'static str,
    reader: Box<dyn FormatReader + 's>,
    decoder: Box<dyn AudioDecoder>,
    id: u32,
    /// Frames that the file says it has, where that is no guess.
    stated: Option<u64>,
    /// Frames decoded and, where the format tells, not padding.
    found: u64,
    trim: Option<Trim>,
    /// Hz; 0 before the first packet.
    sample_rate: u32,
    /// 0 before the first packet.
    channels: u16,
    packet: Vec<f32>,
}

impl<'s> OpenTrack<'s> {
    fn open(format: &'static str, source: Box<dyn MediaSource + 's>) -> Result<Self> {
        let failed = |error| failed(format, &error);
        let stream = MediaSourceStream::new(source, Default::default());
        let reader = symphonia::default::get_probe()
            .probe(
                &Hint::new(),
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
            .map_err(failed)?;

        let (track, params) = audio_track(reader.as_ref())
            .ok_or_else(|| unsupported(format!("{format} without an audio track of a known codec")))?;
        if params.codec == CODEC_ID_OPUS {
            return Err(unsupported(format!("{format} with Opus")));
        }
        if let (CODEC_ID_VORBIS, Some(headers)) = (params.codec, &params.extra_data) {
            vorbis::check_codebooks(headers).map_err(|reason| invalid(format, reason))?;
        }
        let container = reader.format_info().format;
        let is_mp3 = container == FORMAT_ID_MP3;
        // Without a tag, the MP3 reader guesses a length, and would cut what lies beyond; `Trim`
        // does not. The ADTS reader always guesses.
        let options = AudioDecoderOptions::default().gapless(!is_mp3);
        let is_guess = container == FORMAT_ID_ADTS || (is_mp3 && track.delay.is_none());
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&params, &options)
            .map_err(failed)?;
        Ok(Self {
            format,
            reader,
            decoder,
            id: track.id,
            stated: track.num_frames.filter(|_| !is_guess),
            found: 0,
            trim: if is_mp3 { Trim::of(&track) } else { None },
            sample_rate: 0,
            channels: 0,
            packet: Vec::new(),
        })
    }

    /// Decodes until there are frames to append to `samples`; `false` at the end.
    fn next_packet(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        let before = samples.len();
        while samples.len() == before {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.id => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return self.end(None),
                Err(error) if ended(&error) => return self.end(Some(&error)),
                Err(error) => return Err(failed(self.format, &error)),
            };
            let buffer = self
                .decoder
                .decode(&packet)
                .map_err(|error| failed(self.format, &error))?;
            let spec = buffer.spec();
            let channels = check_channels(spec.channels().count(), Audio::MAX_CHANNELS)?;
            check_rate(spec.rate(), Audio::MAX_SAMPLE_RATE)?;
            if self.channels == 0 {
                (self.channels, self.sample_rate) = (channels, spec.rate());
            } else if (self.channels, self.sample_rate) != (channels, spec.rate()) {
                return Err(invalid(
                    self.format,
                    "the channels or the sample rate change on the way",
                ));
            }
            buffer.copy_to_vec_interleaved(&mut self.packet);
            match &mut self.trim {
                Some(trim) => trim.pass(&self.packet, usize::from(channels), samples),
                None => samples.extend_from_slice(&self.packet),
            }
            self.found += ((samples.len() - before) / usize::from(channels)) as u64;
        }
        Ok(true)
    }

    /// The end of the packets, with the error if bytes ran out before the last.
    fn end(&self, error: Option<&SymphoniaError>) -> Result<bool> {
        match (self.stated, error) {
            (Some(expected), _) if self.found < expected => Err(Error::TruncatedAudio {
                path: None,
                expected,
                found: self.found,
            }),
            (_, Some(error)) => Err(failed(self.format, error)),
            _ => Ok(false),
        }
    }
}

/// The track a player would play, and how it is coded.
fn audio_track(reader: &dyn FormatReader) -> Option<(Track, AudioCodecParameters)> {
    let track = reader.default_track(TrackType::Audio)?;
    let params = track.codec_params.as_ref()?.audio()?;
    Some((track.clone(), params.clone()))
}

/// Cuts off what an MP3 encoder put around the audio, if the LAME tag says how much.
///
/// A tag that states less than there is (a file joined from two, or forged) hides nothing: only what
/// is within the stated padding goes.
struct Trim {
    /// Frames still to cut off the start.
    delay: usize,
    /// Frames of audio still to come.
    audio: u64,
    /// Most frames of padding behind it.
    padding: usize,
    /// Samples that are padding if nothing follows.
    held: Vec<f32>,
}

impl Trim {
    fn of(track: &Track) -> Option<Self> {
        Some(Self {
            delay: track.delay? as usize,
            audio: track.num_frames?,
            padding: track.padding.unwrap_or_default() as usize,
            held: Vec::new(),
        })
    }

    /// Appends the part of `packet` that is audio to `samples`.
    fn pass(&mut self, packet: &[f32], channels: usize, samples: &mut Vec<f32>) {
        let delay = self.delay.min(packet.len() / channels);
        self.delay -= delay;
        let packet = &packet[delay * channels..];
        let audio = usize::try_from(self.audio)
            .unwrap_or(usize::MAX)
            .min(packet.len() / channels);
        self.audio -= audio as u64;
        let (audio, behind) = packet.split_at(audio * channels);
        samples.extend_from_slice(audio);
        self.held.extend_from_slice(behind);
        if self.held.len() > self.padding.saturating_mul(channels) {
            self.padding = 0;
            samples.append(&mut self.held);
        }
    }
}

fn invalid(format: &'static str, reason: &str) -> Error {
    Error::InvalidAudio {
        path: None,
        format,
        reason: reason.to_owned(),
    }
}

fn unsupported(found: String) -> Error {
    Error::UnsupportedAudio { path: None, found }
}

/// An error of `symphonia` in our terms.
fn failed(format: &'static str, error: &SymphoniaError) -> Error {
    match error {
        SymphoniaError::Unsupported(feature) => unsupported(format!("{format} ({feature})")),
        SymphoniaError::ResetRequired => invalid(format, "several streams follow one another"),
        error if ended(error) => invalid(format, "it ends in the middle"),
        error => invalid(format, &error.to_string()),
    }
}

/// Whether the bytes ran out where more were due.
fn ended(error: &SymphoniaError) -> bool {
    matches!(error, SymphoniaError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof)
}
