//! How the estimate of the network is shared between voice and picture: voice first.

use crate::settings::Limits;
use ahoy_media::units::Bitrate;

/// What voice takes whenever the network has it. Chosen, not measured: wide-band speech with in-band FEC.
const VOICE: Bitrate = Bitrate::from_kbps(40);

/// The least that is still speech (RFC 7587 §3.1.1 puts narrow-band speech at 8 to 12 kbit/s).
const VOICE_FLOOR: Bitrate = Bitrate::from_kbps(12);

/// Headers of RTP, SRTP, UDP and IP on 50 packets of voice a second: about 50 x 66 bytes.
const VOICE_HEADERS: Bitrate = Bitrate::from_kbps(26);

/// Below this a picture only gets in the way of the voice.
const PICTURE_FLOOR: Bitrate = Bitrate::from_kbps(60);

/// Part of the estimate left free for retransmissions and headers of the picture, in percent.
const HEADROOM_PERCENT: u64 = 10;

/// Targets for the two encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) audio: Bitrate,
    pub(crate) video: Bitrate,
}

/// Splits what may be sent: the estimate, our own limit and the other side's wish, whichever is least.
pub(crate) fn split(estimate: Bitrate, ours: &Limits, theirs: Option<Bitrate>) -> Shares {
    let ceiling = theirs.map_or(ours.max_bandwidth, |theirs| theirs.min(ours.max_bandwidth));
    let total = estimate.min(ceiling).as_bps();
    let voice = total
        .saturating_sub(VOICE_HEADERS.as_bps())
        .clamp(VOICE_FLOOR.as_bps(), VOICE.as_bps());
    let rest = total.saturating_sub(voice + VOICE_HEADERS.as_bps());
    let picture = rest * (100 - HEADROOM_PERCENT) / 100;
    Shares {
        audio: Bitrate::from_bps(voice),
        video: Bitrate::from_bps(picture.max(PICTURE_FLOOR.as_bps())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voice_is_served_first() {
        let shares = split(Bitrate::from_kbps(70), &Limits::default(), None);
        assert_eq!(shares.audio, Bitrate::from_kbps(40));
        let narrow = split(Bitrate::from_kbps(20), &Limits::default(), None);
        assert_eq!(narrow.audio, Bitrate::from_kbps(12));
    }

    #[test]
    fn the_other_sides_wish_is_a_ceiling() {
        let shares = split(
            Bitrate::from_kbps(5000),
            &Limits::default(),
            Some(Bitrate::from_kbps(500)),
        );
        assert!(shares.audio.as_bps() + shares.video.as_bps() < 500_000);
    }
}
