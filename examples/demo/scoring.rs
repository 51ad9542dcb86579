//! A recording in memory to its score.

use std::io::Cursor;
use std::time::Instant;

use axum::body::Bytes;
use bonafide::{AudioReader, Detector, Score};

use crate::problem::Problem;

/// Scores a recording, unless it is too long or the deadline passes. It is decoded twice, block by block, and so never in
/// memory as a whole: a small file can hold hours of audio.
pub(crate) fn score(detector: &Detector, recording: &Bytes, seconds: u32, deadline: Instant) -> Result<Score, Problem> {
    let mut frames = 0;
    let mut block = Vec::new();
    let mut reader = open(recording)?;
    let (rate, channels) = (reader.sample_rate(), reader.channels());
    let most = u64::from(seconds) * u64::from(rate);
    while reader.next_block(&mut block)? {
        in_time(deadline)?;
        frames += block.len() as u64 / u64::from(channels);
        block.clear();
        if frames > most {
            return Err(Problem::too_long(seconds));
        }
    }

    let mut stream = detector.stream_of(rate, channels)?;
    let mut reader = open(recording)?;
    while reader.next_block(&mut block)? {
        in_time(deadline)?;
        stream.push(&block)?;
        block.clear();
    }
    in_time(deadline)?;
    Ok(stream.finish()?)
}

fn open(recording: &Bytes) -> Result<AudioReader<'static>, Problem> {
    Ok(AudioReader::from_pipe(Cursor::new(recording.clone()))?)
}

fn in_time(deadline: Instant) -> Result<(), Problem> {
    if Instant::now() < deadline {
        Ok(())
    } else {
        Err(Problem::slow_scoring())
    }
}
