//! What the sound may take, and how long its frames are: the headers of fifty packets a second are more than a narrow path
//! carries. Pure, told the time.

use ahoy_media::codec::SoundCodec;
use ahoy_media::codec::opus::{OpusMode, OpusWish};
use ahoy_media::units::Bitrate;
use ahoy_peer::SoundOut;
use std::time::{Duration, Instant};

/// Of each packet of voice beside its payload: RTP and its extensions, SRTP, UDP and IP.
const HEADER_BITS: u64 = 66 * 8;

/// A length, and the bitrate of everything from which on it is right. Chosen so that a voice alone keeps about 16 kbit/s of
/// payload where frames of up to 60 ms can do it; the longest are for paths that are full with less.
struct Step {
    frame: Duration,
    enter: Bitrate,
    leave: Bitrate,
}

const fn step(milliseconds: u64, enter: u64, leave: u64) -> Step {
    Step {
        frame: Duration::from_millis(milliseconds),
        enter: Bitrate::from_kbps(enter),
        leave: Bitrate::from_kbps(leave),
    }
}

/// From the shortest to the longest.
const STEPS: [Step; 5] = [
    step(10, 130, 100),
    step(20, 56, 44),
    step(40, 38, 30),
    step(60, 20, 16),
    step(120, 0, 0),
];

/// A shorter length must be affordable for so long; a longer one is taken at once, since every packet too many waits in
/// the queue before the next.
const SHORTER_AFTER: Duration = Duration::from_secs(5);

/// The least that Opus has. RFC 7587 §3.1.1 puts narrow-band speech at 8 to 12 kbit/s; below that is for the seconds in which
/// a full queue empties.
const LEAST: Bitrate = Bitrate::from_kbps(6);
/// What voice takes whenever the network has it. Chosen, not measured: wide-band speech with in-band FEC.
const VOICE: Bitrate = Bitrate::from_kbps(40);
/// As above; RFC 7587 §3.1.1 puts music in stereo at 64 to 128 kbit/s.
const MUSIC: Bitrate = Bitrate::from_kbps(96);
/// Voice and its repairs together against voice alone, at the encoder's bitrate: what it makes is a tenth less on average.
const WITH_REPAIRS: f64 = 1.05;
/// Of the other codecs, always.
const WAVEFORM: Bitrate = Bitrate::from_kbps(64);

/// What the codec, this side's mode and the other side leave of lengths and bitrates, headers not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SoundRange {
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
    pub(crate) least: Bitrate,
    pub(crate) most: Bitrate,
}

impl SoundRange {
    /// Before anything is known.
    pub(crate) const USUAL: Self = Self {
        shortest: Duration::from_millis(20),
        longest: Duration::from_millis(20),
        least: LEAST,
        most: VOICE,
    };

    /// Of what was negotiated.
    pub(crate) fn of(sound: &SoundOut, wish: OpusWish) -> Self {
        if sound.codec != SoundCodec::Opus {
            return Self {
                least: WAVEFORM,
                most: WAVEFORM,
                ..Self::USUAL
            };
        }
        let most = match wish.mode {
            OpusMode::Voice | OpusMode::LowDelay => VOICE,
            OpusMode::Music => MUSIC,
        };
        let known = |time: Duration| {
            let mut shorter = STEPS.iter().rev().filter(|step| step.frame <= time);
            shorter.next().map_or(STEPS[0].frame, |step| step.frame)
        };
        let said = sound.opus.frame_time.map_or(Duration::ZERO, known);
        Self {
            shortest: wish.mode.frame_time().max(said),
            longest: sound.opus.longest_frame.map_or(LONGEST, known),
            least: LEAST,
            most: sound
                .opus
                .max_average_bitrate
                .map_or(most, |theirs| theirs.clamp(LEAST, most)),
        }
    }
}

impl SoundRange {
    /// The range where repairs take this part of what the sound takes.
    pub(super) fn beside_repairs(self, repaired: f64) -> Self {
        let shared = self.most.as_bps() as f64 * WITH_REPAIRS / (1.0 + repaired.max(0.0));
        let most = Bitrate::from_bps(shared as u64).clamp(self.least, self.most);
        Self { most, ..self }
    }
}

const LONGEST: Duration = STEPS[STEPS.len() - 1].frame;

#[derive(Debug, Default)]
pub(super) struct Frames {
    /// With the range that it was chosen in.
    current: Option<(Duration, SoundRange)>,
    /// Since when a shorter one is affordable.
    roomy_since: Option<Instant>,
}

impl Frames {
    /// The length for so many bits per second, all media and headers together.
    pub(super) fn handle_total(&mut self, now: Instant, total: Bitrate, range: SoundRange) -> Duration {
        let shortest_with = |limit: fn(&Step) -> Bitrate| {
            let fits = STEPS.iter().find(|step| total >= limit(step));
            fits.map_or(range.longest, |step| step.frame)
                .clamp(range.shortest.min(range.longest), range.longest)
        };
        let (enter, stay) = (shortest_with(|step| step.enter), shortest_with(|step| step.leave));
        let current = match self.current {
            Some((current, before)) if before == range => {
                let longer = current.max(stay);
                let roomy = enter < longer;
                let since = *self.roomy_since.get_or_insert(now);
                if !roomy {
                    self.roomy_since = None;
                    longer
                } else if now.saturating_duration_since(since) >= SHORTER_AFTER {
                    self.roomy_since = None;
                    enter
                } else {
                    longer
                }
            }
            // Another codec, or the first one: what was right for the one before says nothing.
            Some(_) | None => {
                self.roomy_since = None;
                enter
            }
        };
        self.current = Some((current, range));
        current
    }
}

/// What the headers of voice packets take at this length of frames.
pub(super) fn headers(frame: Duration) -> Bitrate {
    Bitrate::from_bps((HEADER_BITS as f64 / frame.as_secs_f64().max(0.001)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SoundRange = SoundRange {
        shortest: Duration::from_millis(20),
        longest: Duration::from_millis(60),
        ..SoundRange::USUAL
    };

    struct Path {
        frames: Frames,
        now: Instant,
        range: SoundRange,
    }

    impl Path {
        fn new(range: SoundRange) -> Self {
            Self {
                frames: Frames::default(),
                now: Instant::now(),
                range,
            }
        }

        /// Milliseconds of a frame after so many seconds at so many kbit/s, looked at ten times a second.
        fn at(&mut self, kbps: u64, seconds: u64) -> u128 {
            let mut frame = Duration::ZERO;
            for _ in 0..=seconds * 10 {
                frame = self
                    .frames
                    .handle_total(self.now, Bitrate::from_kbps(kbps), self.range);
                self.now += Duration::from_millis(100);
            }
            frame.as_millis()
        }
    }

    #[test]
    fn a_narrow_path_has_longer_frames_at_once_and_shorter_ones_after_a_while() {
        let mut path = Path::new(ANY);
        assert_eq!(path.at(1000, 1), 20);
        assert_eq!(path.at(40, 0), 40);
        assert_eq!(path.at(25, 0), 60);
        assert_eq!(path.at(1000, 4), 60);
        assert_eq!(path.at(1000, 2), 20);
    }

    #[test]
    fn a_wavering_estimate_changes_the_length_once() {
        let mut path = Path::new(ANY);
        path.at(1000, 1);
        let mut lengths = Vec::new();
        for step in 0..600 {
            lengths.push(path.at(if step / 7 % 2 == 0 { 29 } else { 37 }, 0));
        }
        lengths.dedup();
        assert_eq!(lengths, [60]);
        // Room that comes for moments only is none.
        for _ in 0..20 {
            assert_eq!(path.at(100, 4), 60);
            assert_eq!(path.at(25, 1), 60);
        }
    }

    #[test]
    fn neither_mode_nor_the_other_side_nor_the_codec_is_overruled() {
        let range = |shortest, longest| SoundRange {
            shortest: Duration::from_millis(shortest),
            longest: Duration::from_millis(longest),
            ..SoundRange::USUAL
        };
        let ends = |range| {
            let mut path = Path::new(range);
            (path.at(1000, 1), path.at(20, 1))
        };
        assert_eq!(ends(range(10, 60)), (10, 60));
        assert_eq!(ends(range(20, 40)), (20, 40));
        assert_eq!(ends(range(40, 60)), (40, 60));
        assert_eq!(ends(SoundRange::USUAL), (20, 20));
        assert_eq!(ends(range(20, 10)), (10, 10));
    }

    #[test]
    fn what_is_agreed_on_anew_counts_at_once() {
        let mut path = Path::new(SoundRange::USUAL);
        assert_eq!(path.at(1000, 1), 20);
        path.range.shortest = Duration::from_millis(10);
        assert_eq!(path.at(1000, 0), 10);
        path.range = ANY;
        assert_eq!(path.at(25, 0), 60);
    }

    #[test]
    fn what_was_negotiated_sets_the_range() {
        use ahoy_media::codec::opus::OpusParameters;
        let range = |codec, mode, ptime: Option<u64>, maxptime: Option<u64>| {
            let opus = OpusParameters {
                frame_time: ptime.map(Duration::from_millis),
                longest_frame: maxptime.map(Duration::from_millis),
                ..OpusParameters::default()
            };
            let sound = SoundOut {
                codec,
                payload_type: 111,
                opus,
            };
            let range = SoundRange::of(&sound, OpusWish { mode, dtx: false });
            (range.shortest.as_millis(), range.longest.as_millis())
        };
        let opus = SoundCodec::Opus;
        assert_eq!(range(opus, OpusMode::Voice, None, None), (20, 120));
        assert_eq!(range(opus, OpusMode::LowDelay, Some(10), Some(60)), (10, 60));
        assert_eq!(range(opus, OpusMode::Music, Some(50), Some(45)), (40, 40));
        assert_eq!(range(opus, OpusMode::Voice, Some(3), Some(5)), (20, 10));
        assert_eq!(range(SoundCodec::G722, OpusMode::LowDelay, None, None), (20, 20));
        let bitrates = |codec, mode, most: Option<u64>| {
            let opus = OpusParameters {
                max_average_bitrate: most.map(Bitrate::from_kbps),
                ..OpusParameters::default()
            };
            let sound = SoundOut {
                codec,
                payload_type: 111,
                opus,
            };
            let range = SoundRange::of(&sound, OpusWish { mode, dtx: false });
            (range.least.as_kbps(), range.most.as_kbps())
        };
        assert_eq!(bitrates(opus, OpusMode::Music, Some(510)), (6, 96));
        assert_eq!(bitrates(opus, OpusMode::Voice, Some(24)), (6, 24));
        assert_eq!(bitrates(opus, OpusMode::LowDelay, Some(6)), (6, 6));
        assert_eq!(bitrates(SoundCodec::Pcmu, OpusMode::Voice, None), (64, 64));
    }

    #[test]
    fn repairs_take_their_part_from_the_voice_and_nothing_from_what_cannot_shrink() {
        let most = |repaired| SoundRange::USUAL.beside_repairs(repaired).most.as_kbps();
        assert_eq!((most(0.0), most(0.1), most(0.25), most(20.0)), (40, 38, 33, 6));
        let fixed = SoundRange {
            least: WAVEFORM,
            most: WAVEFORM,
            ..SoundRange::USUAL
        };
        assert_eq!(fixed.beside_repairs(0.5), fixed);
    }

    #[test]
    fn headers_shrink_with_the_number_of_packets() {
        let kbps = |milliseconds| headers(Duration::from_millis(milliseconds)).as_bps() / 100;
        assert_eq!((kbps(10), kbps(20), kbps(40), kbps(60)), (528, 264, 132, 88));
    }
}
