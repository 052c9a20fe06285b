//! What the ITU's Software Tool Library (ITU-T G.191) makes of its own test data. Its licence is not ours, so here are
//! checksums alone, and a test for whoever has it.

use super::super::{ALaw, G722, Law, MuLaw};
use std::path::Path;
use std::{env, fs};

fn encoded<L: Law>(samples: &[i16]) -> Vec<u8> {
    let mut codes = Vec::new();
    L::default().encode(samples, &mut codes);
    codes
}

fn decoded<L: Law>(codes: &[u8]) -> Vec<i16> {
    let mut samples = Vec::new();
    L::default().decode(codes, &mut samples);
    samples
}

/// All samples there are, from the least on: the library calls it a sweep.
fn sweep() -> Vec<i16> {
    (i16::MIN..=i16::MAX).collect()
}

#[test]
fn every_sample_gets_the_code_of_the_reference_and_is_heard_as_there() {
    fn checksums<L: Law>() -> [u32; 2] {
        let codes = encoded::<L>(&sweep());
        let heard: Vec<u8> = decoded::<L>(&codes)
            .into_iter()
            .flat_map(i16::to_le_bytes)
            .collect();
        [crc32fast::hash(&codes), crc32fast::hash(&heard)]
    }
    // Of the low bytes of `sweep-r.u` and `sweep-r.a`, and of `sweep-r.reu` and `sweep-r.rea`.
    assert_eq!(checksums::<MuLaw>(), [0x6399_D432, 0x6364_1C01]);
    assert_eq!(checksums::<ALaw>(), [0x9133_796E, 0xABCE_AA69]);
}

/// Names the folder of the library, as <https://github.com/openitu/STL> has it.
const FOLDER: &str = "AHOY_ITU_STL";

#[test]
#[ignore = "needs the ITU's Software Tool Library, in the folder that AHOY_ITU_STL names"]
fn the_test_data_of_the_reference_come_through_to_the_bit() {
    let folder = env::var(FOLDER).unwrap_or_else(|_| panic!("{FOLDER} names no folder"));
    let words = |file: &str| -> Vec<i16> {
        let file = Path::new(&folder).join("src").join(file);
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let words = bytes.chunks_exact(2);
        words.map(|word| i16::from_le_bytes([word[0], word[1]])).collect()
    };
    let codes = |file: &str| -> Vec<u8> { words(file).into_iter().map(|word| word as u8).collect() };
    let alike = |what: &str, same: bool| assert!(same, "{what}");

    assert_eq!(words("g711/test_data/sweep.src"), sweep());
    for (law, encoded, decoded) in [
        (
            "u",
            encoded::<MuLaw>(&sweep()),
            decoded::<MuLaw> as fn(&[u8]) -> Vec<i16>,
        ),
        ("a", encoded::<ALaw>(&sweep()), decoded::<ALaw>),
    ] {
        let codes = codes(&format!("g711/test_data/sweep-r.{law}"));
        alike("codes of a sweep", encoded == codes);
        alike(
            "a sweep",
            decoded(&codes) == words(&format!("g711/test_data/sweep-r.re{law}")),
        );
    }
    let speech = codes("g722/test_data/codspw.cod");
    alike(
        "codes of speech",
        encoded::<G722>(&words("g722/test_data/inpsp.bin")) == speech,
    );
    alike(
        "speech",
        decoded::<G722>(&speech) == words("g722/test_data/outsp1.bin"),
    );
}
