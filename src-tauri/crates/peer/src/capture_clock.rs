//! When what is sent was captured, for the sender reports. Pure.
//!
//! The library's reports say when a packet was handed to it: after encoding, which takes a picture longer than a sound, so
//! that by them no receiver could tell what belongs together (RFC 3550 §6.4.1 wants the time of sampling).

use ahoy_media::units::RtpTime;
use std::time::{Duration, Instant};

/// Share of a deviation that is believed at once: sound is read in steps of a driver's period, so its moments are uneven.
/// Fifty frames a second follow the drift of any sound card.
const BELIEVED: u32 = 16;

/// A larger deviation is a device that was changed or a pause, and is believed whole.
const UNEVEN: Duration = Duration::from_millis(50);

/// The clock of one stream.
#[derive(Debug, Default)]
pub(crate) struct CaptureClock {
    /// Hz.
    clock_rate: u32,
    line: Option<(Instant, RtpTime)>,
}

impl CaptureClock {
    /// `clock_rate` in Hz.
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            line: None,
        }
    }

    /// Hears of a frame whose first sample, or whose picture, was taken at that moment.
    pub(crate) fn handle_frame(&mut self, captured_at: Instant, rtp_time: RtpTime) {
        let expected = self.line.and_then(|(at, ticks)| {
            let ahead = self.time_of(rtp_time.since(ticks).unsigned_abs());
            match rtp_time.since(ticks) {
                0.. => Some(at + ahead),
                _ => at.checked_sub(ahead),
            }
        });
        let at = match expected {
            Some(expected) if captured_at >= expected && captured_at - expected < UNEVEN => {
                expected + (captured_at - expected) / BELIEVED
            }
            Some(expected) if expected > captured_at && expected - captured_at < UNEVEN => {
                expected - (expected - captured_at) / BELIEVED
            }
            Some(_) | None => captured_at,
        };
        self.line = Some((at, rtp_time));
    }

    /// What is captured `now`, in the time of the stream; `None` before the first frame.
    pub(crate) fn rtp_time(&self, now: Instant) -> Option<RtpTime> {
        let (at, rtp_time) = self.line?;
        let ticks = |time: Duration| (time.as_secs_f64() * f64::from(self.clock_rate)).round() as u64 as u32;
        Some(match now.checked_duration_since(at) {
            Some(passed) => rtp_time.plus(ticks(passed)),
            None => rtp_time.plus(ticks(at - now).wrapping_neg()),
        })
    }

    fn time_of(&self, ticks: u32) -> Duration {
        Duration::from_secs_f64(f64::from(ticks) / f64::from(self.clock_rate.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_moment_of_a_report_is_told_in_ticks_since_the_capture_over_the_wrap() {
        let start = Instant::now() + ms(1000);
        let mut clock = CaptureClock::new(90_000);
        assert_eq!(clock.rtp_time(start), None);
        clock.handle_frame(start, RtpTime::new(u32::MAX - 899));
        assert_eq!(clock.rtp_time(start + ms(30)), Some(RtpTime::new(1800)));
        assert_eq!(
            clock.rtp_time(start - ms(10)),
            Some(RtpTime::new(u32::MAX - 1799))
        );
    }

    #[test]
    fn uneven_moments_are_smoothed_and_a_gap_is_believed() {
        let start = Instant::now();
        let mut clock = CaptureClock::new(48_000);
        for number in 0..500_u32 {
            let uneven = ms(u64::from(number % 2) * 10);
            clock.handle_frame(start + ms(20) * number + uneven, RtpTime::new(number * 960));
        }
        let told = clock.rtp_time(start + ms(10_000)).expect("frames came");
        // 5 ms late in the middle: 240 ticks.
        let late = RtpTime::new(480_000).since(told);
        assert!((240 - 30..=240 + 30).contains(&late), "{late}");
        // The microphone was away for a second, and the time of the stream did not go on.
        let again = start + ms(11_000);
        clock.handle_frame(again, RtpTime::new(500 * 960));
        assert_eq!(clock.rtp_time(again), Some(RtpTime::new(500 * 960)));
    }

    #[test]
    fn drift_of_a_sound_card_is_followed() {
        let start = Instant::now();
        let mut clock = CaptureClock::new(48_000);
        let frame = Duration::from_micros(20_004);
        for number in 0..50_000_u32 {
            clock.handle_frame(start + frame * number, RtpTime::new(number.wrapping_mul(960)));
        }
        let told = clock.rtp_time(start + frame * 50_000).expect("frames came");
        let off = told.since(RtpTime::new(50_000 * 960));
        assert!(off.abs() < 48, "{off} ticks, a millisecond is 48");
    }
}
