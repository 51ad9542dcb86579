//! What a header claims is not believed: memory is bounded by what there is, however large the numbers in a small file.
//!
//! Every allocation of this program is counted, so its tests run one at a time.
#![cfg(feature = "formats")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Cursor;
use std::panic;
use std::sync::{Mutex, Once, PoisonError};

use bonafide::{Audio, AudioReader, Detector, Error};
use common::fixture;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
/// For a decoder and its tables. symphonia sets out with buffers of up to 4 MiB for what is stated, whatever is there.
const DECODER: usize = 16 * MIB;

/// Does some work, and says how much memory it had at once.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    static ALONE: Mutex<()> = Mutex::new(());
    // A decoder's panic is caught; with a backtrace, the message about it takes tens of megabytes.
    static PLAIN: Once = Once::new();
    PLAIN.call_once(|| panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = work();
    (done, MEMORY.peak_usage() - before)
}

/// Decodes a file block by block, in both ways that it can come in, each within a limit of memory.
#[track_caller]
fn decode(bytes: &[u8], limit: usize) -> Result<(), Error> {
    let to_the_end = |mut reader: AudioReader<'_>| {
        let mut block = Vec::new();
        while reader.next_block(&mut block)? {
            block.clear();
        }
        Ok(())
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let (from_file, of_file) = peak(|| AudioReader::open(file.path()).and_then(to_the_end));
    let piped = Cursor::new(bytes.to_vec());
    let (from_pipe, of_pipe) = peak(|| AudioReader::from_pipe(piped).and_then(to_the_end));
    assert!(of_file <= limit && of_pipe <= limit, "{of_file} and {of_pipe} bytes");
    assert_eq!(from_file.is_err(), from_pipe.is_err());
    from_file
}

/// Decodes what comes first in a file, if anything, within a limit of memory.
#[track_caller]
fn begin(bytes: Vec<u8>) {
    let source = Cursor::new(bytes);
    let (_, peak) = peak(|| AudioReader::from_pipe(source).and_then(|mut reader| reader.next_block(&mut Vec::new())));
    assert!(peak <= DECODER, "{peak} bytes");
}

/// A WAV file's chunks under their header, whose stated size is as large as can be.
fn riff(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
    let mut file = b"RIFF\xff\xff\xff\xffWAVE".to_vec();
    for (name, size, content) in chunks {
        file.extend_from_slice(*name);
        file.extend(size.to_le_bytes());
        file.extend_from_slice(content);
    }
    file
}

/// The content of a `fmt ` chunk of 16-bit integers.
fn fmt(channels: u16, sample_rate: u32) -> Vec<u8> {
    let align = channels.wrapping_mul(2);
    let mut fmt = 1_u16.to_le_bytes().to_vec();
    fmt.extend(channels.to_le_bytes());
    fmt.extend(sample_rate.to_le_bytes());
    fmt.extend(sample_rate.wrapping_mul(align.into()).to_le_bytes());
    fmt.extend(align.to_le_bytes());
    fmt.extend(16_u16.to_le_bytes());
    fmt
}

#[test]
fn a_wav_of_44_bytes_that_claims_gigabytes() {
    let mono = fmt(1, 16_000);
    for (claimed, stated) in [(0x7fff_0000, Some(0x3fff_8000)), (0xffff_fff0, None), (u32::MAX, None)] {
        let file = riff(&[(b"fmt ", 16, &mono), (b"data", claimed, &[])]);
        assert_eq!(file.len(), 44);
        let error = decode(&file, MIB / 4).unwrap_err();
        match stated {
            Some(stated) => assert!(
                matches!(error, Error::TruncatedAudio { expected, found: 0, .. } if expected == stated),
                "{error}"
            ),
            // As programs write it that can't know: the data goes on to the end, which is here.
            None => assert!(matches!(error, Error::EmptyAudio { .. }), "{error}"),
        }
    }
    for (name, chunks) in [
        ("fmt", [(b"fmt ", u32::MAX, &mono[..]), (b"data", 2, &[0, 0])]),
        ("LIST", [(b"LIST", u32::MAX - 1, &[][..]), (b"fmt ", 16, &mono)]),
    ] {
        let error = decode(&riff(&chunks), MIB / 4).unwrap_err();
        assert!(matches!(error, Error::InvalidAudio { .. }), "{name}: {error}");
    }
    let silence = [0; 64];
    for (channels, rate) in [(u16::MAX, 16_000), (1, u32::MAX), (u16::MAX, u32::MAX)] {
        let file = riff(&[(b"fmt ", 16, &fmt(channels, rate)), (b"data", 64, &silence)]);
        decode(&file, MIB / 4).unwrap_err();
    }
}

#[test]
fn a_flac_that_claims_the_most() {
    // Blocks and frames of all sizes, the highest rate, 8 channels, 32 bits, 2^36 - 1 samples.
    let stream_info = [[0xff; 18].as_slice(), &[0; 16]].concat();
    let header = [b"fLaC", &[0x80, 0, 0, 34][..], &stream_info].concat();
    decode(&header, DECODER).unwrap_err();
    // Padding, a table of seek points, comments, a cue sheet and a picture of 16 MiB each, and the lengths in them.
    for kind in 1..=6 {
        let block = [
            &header[..4],
            &[0, 0, 0, 34],
            &stream_info,
            &[0x80 | kind, 0xff, 0xff, 0xff],
        ]
        .concat();
        for content in [&[][..], &[0xff; 200]] {
            decode(&[&block, content].concat(), DECODER).unwrap_err();
        }
    }
}

#[test]
fn an_mp3_whose_tags_claim_the_most() {
    let tag = b"ID3\x04\0\0\x7f\x7f\x7f\x7f";
    for frame in [&b"APIC\x7f\x7f\x7f\x7f\0\0"[..], b"TIT2\x7f\x7f\x7f\x7f\0\0\x03", b""] {
        decode(&[tag, frame].concat(), DECODER).unwrap_err();
    }
}

/// A page of an Ogg stream, with one packet.
fn page(sequence: u32, packet: &[u8]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(if sequence == 0 { 2 } else { 0 });
    page.extend([0; 8]);
    page.extend(1_u32.to_le_bytes());
    page.extend(sequence.to_le_bytes());
    page.extend([0; 4]);
    let segments = packet.len() / 255 + 1;
    page.push(segments.try_into().unwrap());
    page.extend(vec![0xff; segments - 1]);
    page.push((packet.len() % 255) as u8);
    page.extend(packet);
    checksummed(page)
}

/// Sets a page's checksum right.
fn checksummed(mut page: Vec<u8>) -> Vec<u8> {
    page[22..26].fill(0);
    let checksum = page.iter().fold(0_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    page[22..26].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// The pages of an Ogg file.
fn pages(file: &[u8]) -> Vec<Vec<u8>> {
    let mut starts: Vec<usize> = (0..file.len())
        .filter(|&at| file[at..].starts_with(b"OggS\0"))
        .collect();
    starts.push(file.len());
    starts.windows(2).map(|pair| file[pair[0]..pair[1]].to_vec()).collect()
}

/// Bits, the lowest of each byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn push(&mut self, value: u64, width: u32) {
        for place in 0..width {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            *self.bytes.last_mut().unwrap() |= ((value.checked_shr(place).unwrap_or(0) & 1) as u8) << (8 - self.free);
            self.free -= 1;
        }
    }
}

/// A setup header of Vorbis with as many codebooks, each of some bits' entries in 31 dimensions and in twenty bytes.
fn setup(codebooks: u64, bits_of_entries: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(codebooks - 1, 8);
    for _ in 0..codebooks {
        bits.push(0x56_4342, 24);
        bits.push(31, 16);
        bits.push(1 << bits_of_entries, 24);
        // In the order of their lengths: all have the same, which makes a whole tree.
        bits.push(1, 1);
        bits.push(bits_of_entries - 1, 5);
        bits.push(1 << bits_of_entries, bits_of_entries as u32 + 1);
        // A table of one value for all.
        bits.push(1, 4);
        bits.push(0, 64);
        bits.push(0, 4);
        bits.push(0, 1);
        bits.push(1, 1);
    }
    with_the_rest(bits)
}

/// A setup header whose codebooks are as large as they may be, of codewords that make the decoder's tree as wide as can be.
fn widest_setup() -> Vec<u8> {
    // The tree has a level for every 8 bits. Of the branches of its second level, most carry 32 of the third, which have no
    // more than the two leaves that they must.
    let branch = [&[9, 10, 11][..], &[17; 64]].concat();
    let mut lengths = branch.repeat(244);
    lengths.extend([8; 12]);
    let mut bits = Bits::default();
    bits.push(4 - 1, 8);
    for _ in 0..4 {
        bits.push(0x56_4342, 24);
        bits.push(1, 16);
        bits.push(lengths.len() as u64, 24);
        bits.push(0, 2);
        lengths.iter().for_each(|&length| bits.push(length - 1, 5));
        bits.push(0, 4);
    }
    with_the_rest(bits)
}

/// What follows on the codebooks in a setup header.
fn with_the_rest(mut bits: Bits) -> Vec<u8> {
    // One each: a transform that is none, floor, residue, mapping and mode.
    bits.push(0, 6 + 16);
    bits.push(0, 6);
    bits.push(1, 16 + 5 + 2 + 4);
    bits.push(0, 6);
    bits.push(0, 16 + 24 + 24 + 24 + 6 + 8 + 4);
    bits.push(0, 6 + 16 + 1 + 1 + 2 + 24);
    bits.push(0, 6 + 1 + 16 + 16 + 8);
    bits.push(1, 1);
    [b"\x05vorbis", &bits.bytes[..]].concat()
}

/// The three headers of a Vorbis stream, and a packet of sound.
fn vorbis(channels: u8, sample_rate: u32, setup: &[u8]) -> Vec<u8> {
    let mut identification = b"\x01vorbis\0\0\0\0".to_vec();
    identification.push(channels);
    identification.extend(sample_rate.to_le_bytes());
    identification.extend([0; 12]);
    identification.extend([0xdd, 1]);
    let packets = [&identification, &b"\x03vorbis\0\0\0\0\0\0\0\0\x01"[..], setup, &[0; 8]];
    (0..)
        .zip(packets)
        .flat_map(|(sequence, packet)| page(sequence, packet))
        .collect()
}

#[test]
fn an_ogg_whose_codebooks_claim_gigabytes() {
    // More than any encoder makes of one codebook. Nothing is wrong with it but that there is no sound.
    let large = setup(1, 14);
    let error = decode(&vorbis(1, 16_000, &large), DECODER).unwrap_err();
    assert!(!error.to_string().contains("codebook"), "{error}");
    for cut in 0..large.len() {
        decode(&vorbis(1, 16_000, &large[..cut]), DECODER).unwrap_err();
    }
    for (channels, rate) in [(0, 16_000), (u8::MAX, u32::MAX), (32, u32::MAX)] {
        decode(&vorbis(channels, rate, &large), DECODER).unwrap_err();
    }

    let error = decode(&vorbis(1, 16_000, &widest_setup()), 128 * MIB).unwrap_err();
    assert!(!error.to_string().contains("codebook"), "{error}");

    // One too large, too many numbers, too many entries, and all of it.
    for (codebooks, bits_of_entries) in [(1, 15), (3, 14), (256, 9), (256, 17)] {
        let file = vorbis(1, 16_000, &setup(codebooks, bits_of_entries));
        assert!(file.len() < 6_000);
        let error = decode(&file, MIB).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidAudio { reason, .. } if reason.contains("too much memory")),
            "{error}"
        );
    }
}

/// Puts the largest numbers into every place of a file in turn, wherever its sizes and counts may be.
fn overstated(file: &[u8], places: impl Iterator<Item = usize>) -> impl Iterator<Item = Vec<u8>> {
    places.flat_map(move |at| {
        [
            [0xff, 0xff, 0xff, 0xff],
            [0x7f, 0xff, 0xff, 0xff],
            [0xff, 0xff, 0xff, 0x7f],
        ]
        .map(|number| {
            let mut changed = file.to_vec();
            let end = file.len().min(at + 4);
            changed[at..end].copy_from_slice(&number[..end - at]);
            changed
        })
    })
}

#[test]
fn no_number_in_a_header_is_believed() {
    for name in ["s16.wav", "speech.flac", "speech.mp3", "speech.aac"] {
        let file = std::fs::read(fixture("audio").join(name)).unwrap();
        overstated(&file, 0..128).for_each(begin);
    }
    // All of its boxes but the sound.
    let file = std::fs::read(fixture("audio/speech.m4a")).unwrap();
    let moov = file.windows(4).position(|name| name == b"moov").unwrap() - 4;
    overstated(&file, (0..64).chain(moov..file.len())).for_each(begin);
    // The pages with Vorbis's headers.
    let file = std::fs::read(fixture("audio/speech.ogg")).unwrap();
    let pages = pages(&file);
    for index in 0..2 {
        for changed in overstated(&pages[index], (26..pages[index].len()).step_by(3)) {
            let mut pages = pages.clone();
            pages[index] = checksummed(changed);
            begin(pages.concat());
        }
    }
}

#[test]
fn a_model_that_claims_two_gigabytes() {
    let claims = |field: u8| [&[field << 3 | 2][..], &[0x80, 0x80, 0x80, 0x80, 0x08]].concat();
    let graph = |content: &[u8]| [&[7 << 3 | 2, content.len() as u8][..], content].concat();
    let files = [
        claims(7),
        claims(14),
        graph(&claims(5)),
        graph(&claims(11)),
        graph(&[&[11 << 3 | 2, 6], &claims(1)[..]].concat()),
    ];
    for file in files {
        let (built, bytes) = peak(|| Detector::builder().model_bytes(file.clone()).build());
        let error = built.unwrap_err();
        assert!(
            matches!(&error, Error::InvalidModel { reason, .. } if reason.contains("cut off")),
            "{error}"
        );
        assert!(bytes <= MIB / 4, "{bytes} bytes");
    }
}

/// That the counting counts.
#[test]
fn a_clip_takes_its_samples() {
    let bytes = std::fs::read(fixture("speech.wav")).unwrap();
    let (audio, peak) = peak(|| Audio::from_bytes(&bytes).unwrap());
    let samples = audio.samples.len() * size_of::<f32>();
    assert!(
        (samples..=2 * samples + MIB).contains(&peak),
        "{peak} bytes for {samples} of samples"
    );
}
