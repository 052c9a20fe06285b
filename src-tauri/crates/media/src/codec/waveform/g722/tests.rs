//! The digital test sequences of ITU-T G.722 appendix II, which go past the filters. Those that it says how to make are
//! made here, and what must come of them is known by the checksums of the ITU's files (table II.6).

use super::*;

/// A word that resets both ends; every file begins and ends with sixteen of them (§II.4.5).
const RESET: u16 = 1;

/// The file in little-endian words, with its checksum.
fn checksum(words: impl IntoIterator<Item = u16>) -> u32 {
    let marks = [RESET; 16];
    let words = marks.into_iter().chain(words).chain(marks);
    crc32fast::hash(&words.flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
}

/// A code in its word (§II.2.3), and a sample of a band.
fn code_word(code: u8) -> u16 {
    u16::from(code) << 8
}

fn sample_word(sample: i32) -> u16 {
    (sample << 1) as u16
}

/// `T1C2.XMT`: full swings against the overflow controls of the encoder (table II.3).
fn overflows() -> impl Iterator<Item = i32> {
    let (least, most) = (-16_384, 16_383);
    let swings = [least, most].into_iter().cycle().take(639);
    let last = [least, most, least].into_iter().cycle().take(126);
    swings.chain([0, -10_000, -8_192]).chain(last)
}

/// `T1D3.COD`: every code in every order of signs (§II.3.2.1, §II.3.2.2).
fn artificial() -> impl Iterator<Item = u8> {
    // Each pattern of signs lasts for 2,048 codes, each magnitude of the lower band for 256.
    const SIGNS: [&[u8]; 8] = [
        &[0, 0, 1],
        &[1, 1, 1, 1, 0, 0, 0, 0],
        &[1],
        &[1, 1, 0, 0],
        &[1, 0],
        &[0, 0, 0, 0, 0, 1, 0, 0],
        &[0, 0, 1, 0, 1],
        &[1, 1, 0, 0, 0],
    ];
    /// Of the higher band's magnitudes: so many ones and so many zeros in turn.
    const HIGHER: [(usize, usize); 8] = [(1, 0), (16, 16), (0, 1), (8, 8), (0, 1), (4, 4), (1, 0), (2, 2)];
    (0..16_384_usize).map(|n| {
        let signs = SIGNS[n / 2_048];
        let sign = signs[n % 2_048 % signs.len()];
        let (ones, zeros) = HIGHER[n / 2_048];
        let higher = u8::from(n % (ones + zeros) < ones);
        let second = n / 16 % 2 == 1;
        let lower = match n / 256 {
            63 if second => 3,
            63 => 0,
            stage => 31 - (stage / 2) as u8 - u8::from(stage % 2 == 1 && second),
        };
        (sign << 7) | (higher << 6) | (sign << 5) | lower
    })
}

#[test]
fn the_encoder_gives_the_codes_of_the_reference_at_every_overflow() {
    assert_eq!(checksum(overflows().map(sample_word)), 0x2D60_4685, "bt1c2.xmt");
    let mut bands = Bands::default();
    let codes = overflows().map(|sample| code_word(bands.encode(sample, sample)));
    assert_eq!(checksum(codes), 0x344E_A5D0, "bt2r2.cod");
}

#[test]
fn the_decoder_gives_the_samples_of_the_reference_for_every_code() {
    assert_eq!(checksum(artificial().map(code_word)), 0x7398_964F, "bt1d3.cod");
    let mut bands = Bands::default();
    let (low, high): (Vec<i32>, Vec<i32>) = artificial().map(|code| bands.decode(code)).unzip();
    assert_eq!(
        checksum(low.into_iter().map(sample_word)),
        0xA537_4659,
        "bt3l3.rc1"
    );
    assert_eq!(
        checksum(high.into_iter().map(sample_word)),
        0x3731_AD7F,
        "bt3h3.rc0"
    );
}

#[test]
fn the_decoder_gives_the_samples_of_the_reference_for_the_overflows() {
    let (mut there, mut back) = (Bands::default(), Bands::default());
    let decoded = overflows().map(|sample| back.decode(there.encode(sample, sample)));
    let (low, high): (Vec<i32>, Vec<i32>) = decoded.unzip();
    assert_eq!(
        checksum(low.into_iter().map(sample_word)),
        0xAF00_F31F,
        "bt3l2.rc1"
    );
    assert_eq!(
        checksum(high.into_iter().map(sample_word)),
        0x5330_AE2E,
        "bt3h2.rc0"
    );
}
