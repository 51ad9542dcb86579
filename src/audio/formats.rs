//! FLAC, MP3, Ogg Vorbis and AAC, through [`symphonia`].

use std::io::{Cursor, ErrorKind};
use std::panic::catch_unwind;

use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_ADTS, FORMAT_ID_MP3};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::{Audio, check_channels, check_rate, check_samples};
use crate::{Error, Result};

/// Decodes `bytes`, whose start says `format`.
///
/// Fuzzing found damaged Ogg and M4A files on which `symphonia` 0.6.1 panics (an assertion on Vorbis codebooks; sums
/// that overflow, in builds that check). What it leaves behind is dropped here, so its panic ends as an error, though
/// the panic hook has seen it. Where panics abort, it aborts.
pub(super) fn decode(format: &'static str, bytes: &[u8]) -> Result<Audio> {
    catch_unwind(|| decode_stream(format, bytes)).unwrap_or_else(|_| Err(invalid(format, "the decoder panicked")))
}

fn decode_stream(format: &'static str, bytes: &[u8]) -> Result<Audio> {
    let failed = |error| failed(format, &error);
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut reader = symphonia::default::get_probe()
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
    let container = reader.format_info().format;
    let is_mp3 = container == FORMAT_ID_MP3;
    // Without a tag, the MP3 reader guesses a length, and would cut what lies beyond; `trim_mp3`
    // does not. The ADTS reader always guesses.
    let options = AudioDecoderOptions::default().gapless(!is_mp3);
    let is_guess = container == FORMAT_ID_ADTS || (is_mp3 && track.delay.is_none());
    let stated = track.num_frames.filter(|_| !is_guess);
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&params, &options)
        .map_err(failed)?;

    let (mut audio, end) = decode_track(format, reader.as_mut(), decoder.as_mut(), track.id)?;
    if is_mp3 {
        trim_mp3(&mut audio, &track);
    }
    let found = audio.frames() as u64;
    match (stated, end) {
        (Some(expected), _) if found < expected => Err(Error::TruncatedAudio {
            path: None,
            expected,
            found,
        }),
        (_, Some(error)) => Err(failed(error)),
        _ if found == 0 => Err(Error::EmptyAudio { path: None }),
        _ => Ok(audio),
    }
}

/// The track a player would play, and how it is coded.
fn audio_track(reader: &dyn FormatReader) -> Option<(Track, AudioCodecParameters)> {
    let track = reader.default_track(TrackType::Audio)?;
    let params = track.codec_params.as_ref()?.audio()?;
    Some((track.clone(), params.clone()))
}

/// Decodes all packets of one track; with the error, if the bytes ran out before the last.
fn decode_track(
    format: &'static str,
    reader: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track_id: u32,
) -> Result<(Audio, Option<SymphoniaError>)> {
    let mut audio = Audio {
        samples: Vec::new(),
        sample_rate: 0,
        channels: 0,
    };
    let mut packet_samples = Vec::new();
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == track_id => packet,
            Ok(Some(_)) => continue,
            Ok(None) => return Ok((audio, None)),
            Err(error) if ended(&error) => return Ok((audio, Some(error))),
            Err(error) => return Err(failed(format, &error)),
        };
        let buffer = decoder.decode(&packet).map_err(|error| failed(format, &error))?;
        let spec = buffer.spec();
        let channels = check_channels(spec.channels().count())?;
        check_rate(spec.rate())?;
        if audio.channels == 0 {
            (audio.channels, audio.sample_rate) = (channels, spec.rate());
        } else if (audio.channels, audio.sample_rate) != (channels, spec.rate()) {
            return Err(invalid(format, "the channels or the sample rate change on the way"));
        }
        check_samples(audio.samples.len() + buffer.samples_interleaved())?;
        buffer.copy_to_vec_interleaved(&mut packet_samples);
        audio.samples.append(&mut packet_samples);
    }
}

/// Cuts off what the encoder put around the audio, if the LAME tag says how much.
///
/// A tag that states less than there is (a file joined from two, or forged) hides nothing: only what
/// is within the stated padding goes.
fn trim_mp3(audio: &mut Audio, track: &Track) {
    let (Some(delay), Some(frames)) = (track.delay, track.num_frames) else {
        return;
    };
    let channels = usize::from(audio.channels);
    let delay = (delay as usize * channels).min(audio.samples.len());
    audio.samples.drain(..delay);
    let padding = track.padding.unwrap_or_default() as usize * channels;
    let keep = usize::try_from(frames).unwrap_or(usize::MAX).saturating_mul(channels);
    if audio.samples.len() <= keep.saturating_add(padding) {
        audio.samples.truncate(keep);
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
