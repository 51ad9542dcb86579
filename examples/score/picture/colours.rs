//! The spectrogram's colours: "magma" of matplotlib (CC0), whose steps look equally large, in print and to colour-blind
//! readers too.

/// Few enough that the image packs well, and too many to be seen as steps.
pub(super) const LEVELS: usize = 32;

const MAGMA: [[u8; 3]; 9] = [
    [0x00, 0x00, 0x04],
    [0x1d, 0x11, 0x47],
    [0x51, 0x12, 0x7c],
    [0x82, 0x26, 0x81],
    [0xb6, 0x36, 0x79],
    [0xe6, 0x51, 0x64],
    [0xfb, 0x88, 0x61],
    [0xfe, 0xc2, 0x87],
    [0xfc, 0xfd, 0xbf],
];

/// The colour of each level, from silence to the loudest.
pub(super) fn palette() -> [[u8; 3]; LEVELS] {
    std::array::from_fn(|level| {
        let place = (level * (MAGMA.len() - 1)) as f32 / (LEVELS - 1) as f32;
        let below = (place as usize).min(MAGMA.len() - 2);
        let share = place - below as f32;
        std::array::from_fn(|channel| {
            let (low, high) = (MAGMA[below][channel], MAGMA[below + 1][channel]);
            (f32::from(low) + share * (f32::from(high) - f32::from(low))).round() as u8
        })
    })
}
