//! Loss on purpose: own voice packets that never leave, so that a person can hear beforehand what a bad network does.
//!
//! They are numbered, counted and protected like all others, and the other side reports them as lost.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// The length of an RTP header without extensions, in bytes (RFC 3550 §5.1).
const RTP_HEADER: usize = 12;

/// What the sockets of one peer lose.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// The own voice stream.
    ssrc: u32,
    /// Percent of its packets.
    loss: AtomicU8,
    dice: AtomicU32,
}

impl Rehearsal {
    pub(crate) fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            loss: AtomicU8::new(0),
            // Another start for every call, and never zero, where the generator would stay.
            dice: AtomicU32::new(ssrc | 1),
        }
    }

    pub(crate) fn set_loss(&self, percent: u8) {
        self.loss.store(percent.min(100), Ordering::Relaxed);
    }

    /// Whether this datagram is to be lost. A relay's frame around it is not looked into.
    pub(crate) fn loses(&self, datagram: &[u8]) -> bool {
        let loss = self.loss.load(Ordering::Relaxed);
        if loss == 0 || !self.is_voice(datagram) {
            return false;
        }
        // Marsaglia's xorshift; only one task sends, so nothing is lost between load and store.
        let mut dice = self.dice.load(Ordering::Relaxed);
        dice ^= dice << 13;
        dice ^= dice >> 17;
        dice ^= dice << 5;
        self.dice.store(dice, Ordering::Relaxed);
        dice % 100 < u32::from(loss)
    }

    /// SRTP leaves the header readable (RFC 3711 §3.1); RTCP has other second bytes (RFC 5761 §4).
    fn is_voice(&self, datagram: &[u8]) -> bool {
        datagram.len() >= RTP_HEADER
            && datagram[0] >> 6 == 2
            && !(192..224).contains(&datagram[1])
            && datagram[8..RTP_HEADER] == self.ssrc.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSRC: u32 = 0x1234_5678;

    fn packet(first: u8, second: u8, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![first, second, 0, 1, 0, 0, 0, 0];
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0; 80]);
        packet
    }

    #[test]
    fn so_many_voice_packets_are_lost_and_nothing_else() {
        let rehearsal = Rehearsal::new(SSRC);
        let voice = packet(0x80, 111, SSRC);
        assert!(!rehearsal.loses(&voice), "nothing unless asked");
        rehearsal.set_loss(30);
        let lost = (0..10_000).filter(|_| rehearsal.loses(&voice)).count();
        assert!((2_800..3_200).contains(&lost), "{lost}");
        rehearsal.set_loss(100);
        assert!(rehearsal.loses(&voice));
        for other in [
            packet(0x80, 96, SSRC + 1),
            packet(0x80, 200, SSRC),
            packet(0x00, 1, SSRC),
            packet(0x16, 254, SSRC),
            voice[..11].to_vec(),
            Vec::new(),
        ] {
            assert!(!rehearsal.loses(&other), "{:?}", &other.get(..2));
        }
    }
}
