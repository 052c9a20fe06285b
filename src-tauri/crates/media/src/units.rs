//! Quantities of media.

use std::fmt;
use std::time::Duration;

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bitrate(u64);

impl Bitrate {
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps * 1000)
    }

    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// Whole kilobits per second, rounded down.
    pub const fn as_kbps(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s", self.as_kbps())
    }
}

/// Samples per second and channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// The rate of every pipeline inside Ahoy (Opus full band, RFC 7587).
    pub const HZ_48000: Self = Self(48_000);

    pub const fn from_hz(hz: u32) -> Self {
        Self(hz)
    }

    pub const fn as_hz(self) -> u32 {
        self.0
    }

    /// Samples per channel in a time, rounded down.
    pub fn samples_in(self, time: Duration) -> usize {
        (u128::from(self.0) * time.as_nanos() / 1_000_000_000) as usize
    }

    /// The time that so many samples per channel take.
    pub fn time_of(self, samples: usize) -> Duration {
        Duration::from_nanos((samples as u128 * 1_000_000_000 / u128::from(self.0)) as u64)
    }
}

/// Width and height of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resolution {
    pub width: u32,
    pub height: u32,
}

impl Resolution {
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A 32-bit RTP timestamp; arithmetic wraps (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RtpTime(u32);

impl RtpTime {
    pub const fn new(ticks: u32) -> Self {
        Self(ticks)
    }

    pub const fn as_u32(self) -> u32 {
        self.0
    }

    pub const fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// Ticks from `earlier` to here, negative when `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

/// A moment on the clock of whoever sends, as RTCP tells it: seconds since 1900 with 32 bits of fraction (RFC 3550 §4).
/// Only differences on one clock mean anything; arithmetic wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpTime(u64);

impl NtpTime {
    /// Fractions in a second.
    const SECOND: f64 = 4_294_967_296.0;

    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// So many seconds later, or earlier when negative.
    pub fn plus(self, seconds: f64) -> Self {
        Self(self.0.wrapping_add_signed((seconds * Self::SECOND) as i64))
    }

    /// Seconds from `earlier` to here, negative when `earlier` is in fact later.
    pub fn since(self, earlier: Self) -> f64 {
        self.0.wrapping_sub(earlier.0).cast_signed() as f64 / Self::SECOND
    }

    /// Milliseconds since 1900, as webrtc-stats has such times.
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / Self::SECOND * 1000.0
    }
}

/// A 16-bit RTP sequence number; arithmetic wraps (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SequenceNumber(u16);

impl SequenceNumber {
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    pub const fn as_u16(self) -> u16 {
        self.0
    }

    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Packets from `earlier` to here, negative when `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_arithmetic_wraps() {
        assert_eq!(RtpTime::new(5).since(RtpTime::new(u32::MAX - 4)), 10);
        assert_eq!(SequenceNumber::new(u16::MAX).next(), SequenceNumber::new(0));
        assert_eq!(SequenceNumber::new(0).since(SequenceNumber::new(65_535)), 1);
    }

    #[test]
    fn ntp_times_differ_by_seconds_over_the_wrap_of_their_era() {
        let late = NtpTime::new(u64::MAX - (1 << 31));
        let next_era = late.plus(1.25);
        assert!(next_era.as_u64() < late.as_u64());
        assert!((next_era.since(late) - 1.25).abs() < 1e-9);
        assert!((late.since(next_era) + 1.25).abs() < 1e-9);
        assert_eq!(NtpTime::new(3 << 31).as_millis(), 1500.0);
    }

    #[test]
    fn samples_and_time_agree() {
        let rate = SampleRate::HZ_48000;
        assert_eq!(rate.samples_in(Duration::from_millis(20)), 960);
        assert_eq!(rate.time_of(960), Duration::from_millis(20));
    }
}
