//! Bounds on the codebooks of Ogg Vorbis.
//!
//! Of a codebook of twenty bytes `symphonia` 0.6.1 can make tables of 400 MB, and a stream may have 256 of them, so their
//! sizes are summed up here before it makes any. Those of libvorbis have at most 6,561 entries each, and all of a stream
//! together 19,413 entries and 85,928 numbers, at any rate, quality and number of channels.

/// Most entries of a codebook.
const MAX_ENTRIES: u32 = 1 << 14;
/// Most entries of all codebooks.
const MAX_ALL_ENTRIES: u32 = 1 << 16;
/// Most numbers in the tables of all codebooks.
const MAX_NUMBERS: u32 = 1 << 20;
/// The identification header's length, and that of the setup header's name, in bytes.
const IDENTIFICATION: usize = 30;
const NAME: usize = 7;

/// Checks the codebooks of a stream by its identification and setup headers. The error is a sentence.
pub(super) fn check_codebooks(headers: &[u8]) -> Result<(), &'static str> {
    let mut bits = Bits {
        bytes: headers.get(IDENTIFICATION + NAME..).ok_or(CUT_SHORT)?,
        position: 0,
    };
    let (mut entries, mut numbers) = (0, 0);
    for _ in 0..=bits.read(8)? {
        let codebook = Codebook::read_size(&mut bits)?;
        entries += codebook.entries;
        numbers += codebook.entries * codebook.dimensions;
        if codebook.entries > MAX_ENTRIES || entries > MAX_ALL_ENTRIES || numbers > MAX_NUMBERS {
            return Err("its codebooks would take too much memory");
        }
        codebook.skip_rest(&mut bits)?;
    }
    Ok(())
}

const CUT_SHORT: &str = "its codebooks are cut short";

struct Codebook {
    dimensions: u32,
    entries: u32,
}

/// Section 3.2.1 of the Vorbis I specification.
impl Codebook {
    fn read_size(bits: &mut Bits<'_>) -> Result<Self, &'static str> {
        if bits.read(24)? != 0x56_4342 {
            return Err("a codebook does not begin as one");
        }
        let (dimensions, entries) = (bits.read(16)?, bits.read(24)?);
        // The decoder takes no others.
        if !(1..=32).contains(&dimensions) {
            return Err("a codebook has no dimensions, or too many");
        }
        Ok(Self { dimensions, entries })
    }

    fn skip_rest(&self, bits: &mut Bits<'_>) -> Result<(), &'static str> {
        let is_ordered = bits.read(1)? == 1;
        if is_ordered {
            bits.skip(5);
            let mut entry = 0;
            while entry < self.entries {
                entry += bits.read(u32::BITS - (self.entries - entry).leading_zeros())?;
            }
        } else if bits.read(1)? == 1 {
            for _ in 0..self.entries {
                if bits.read(1)? == 1 {
                    bits.skip(5);
                }
            }
        } else {
            bits.skip(5 * self.entries as usize);
        }
        let values = match bits.read(4)? {
            0 => return Ok(()),
            1 => self.values_of_lattice(),
            _ => self.entries * self.dimensions,
        };
        bits.skip(64);
        let width = bits.read(4)? + 1;
        bits.skip(1 + width as usize * values as usize);
        Ok(())
    }

    /// The largest number whose power by `dimensions` is no more than `entries`: computed as the decoder does, rounding and
    /// all, as the next codebook begins where that says.
    fn values_of_lattice(&self) -> u32 {
        (self.entries as f32).powf(1.0 / self.dimensions as f32).floor() as u32
    }
}

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Result<u32, &'static str> {
        (0..count).try_fold(0, |value, place| {
            let byte = self.bytes.get(self.position / 8).ok_or(CUT_SHORT)?;
            let bit = byte >> (self.position % 8) & 1;
            self.position += 1;
            Ok(value | u32::from(bit) << place)
        })
    }

    fn skip(&mut self, count: usize) {
        self.position += count;
    }
}
