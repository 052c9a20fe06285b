//! The digits that two people compare aloud to know that nobody stands between them (IM-Suite §14).
//!
//! Media are encrypted between the two certificates whose fingerprints the descriptions carry, so a dishonest server can
//! listen only by giving each side its own fingerprint; then the two codes differ.

use ahoy_call::CallId;
use ring::digest::{SHA256, digest};

/// Digits of the code, and of one group of it.
const DIGITS: usize = 30;
const GROUP: usize = 5;
/// One more than the largest code.
const MODULUS: u128 = 10_u128.pow(DIGITS as u32);

/// The code of a call, six groups of five digits; the same on both sides, whichever fingerprint is whose.
pub(crate) fn of(ours: &str, theirs: &str, call: &CallId) -> String {
    let (first, second) = if ours <= theirs {
        (ours, theirs)
    } else {
        (theirs, ours)
    };
    let hash = digest(&SHA256, format!("{first}|{second}|{call}").as_bytes());
    // Below 10^30 · 256, which is far below 2^128.
    let number = hash
        .as_ref()
        .iter()
        .fold(0, |number, byte| (number * 256 + u128::from(*byte)) % MODULUS);
    let digits = format!("{number:0DIGITS$}");
    let groups: Vec<&str> = (0..DIGITS)
        .step_by(GROUP)
        .map(|at| &digits[at..at + GROUP])
        .collect();
    groups.join(" ")
}

/// The first SHA-256 fingerprint of a description (RFC 8122 §5) in capitals; sections of a bundle share it.
pub(crate) fn fingerprint(sdp: &str) -> Option<String> {
    sdp.lines().find_map(|line| {
        let (algorithm, value) = line.strip_prefix("a=fingerprint:")?.split_once(' ')?;
        algorithm
            .eq_ignore_ascii_case("sha-256")
            .then(|| value.trim().to_ascii_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> CallId {
        CallId::new("call_123456789").expect("a call id")
    }

    #[test]
    fn both_sides_read_the_same_six_groups() {
        let code = of("AA:01", "BB:02", &call());
        assert_eq!(code, of("BB:02", "AA:01", &call()));
        // printf 'AA:01|BB:02|call_123456789' | sha256sum, as an integer modulo 10^30
        assert_eq!(code, "15975 84980 75508 06569 27627 89285");
        assert_ne!(code, of("AA:01", "BB:03", &call()));
    }

    #[test]
    fn a_server_that_swaps_fingerprints_gives_each_side_another_code() {
        let (ada, ben, server) = ("AA", "BB", "EE");
        assert_ne!(of(ada, server, &call()), of(server, ben, &call()));
    }

    #[test]
    fn the_fingerprint_is_found_in_any_case_and_other_hashes_are_passed_over() {
        let sdp = "v=0\r\na=fingerprint:sha-1 00:11\r\nm=audio 9 x\r\na=fingerprint:SHA-256 ab:cd\r\n";
        assert_eq!(fingerprint(sdp).as_deref(), Some("AB:CD"));
        assert_eq!(fingerprint("v=0\r\na=fingerprint:sha-1 00:11\r\n"), None);
    }
}
