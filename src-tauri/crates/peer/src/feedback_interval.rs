//! How often feedback on arrivals is sent: often enough for the sender to see a queue while it is short, and never more
//! than a twentieth of what is received, which on a path for a voice alone would be a voice itself.
//!
//! The library sends it at one fixed interval; this stands in front of its timer.

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::MarshalSize;
use std::time::{Duration, Instant};

/// Between two messages at the least and the most, as in libwebrtc.
pub(crate) const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(250);
/// Of one message on the wire, and part of what is received that all may take (libwebrtc: 68 bytes, 5 %).
const MESSAGE_BYTES: f64 = 80.0;
const SHARE: f64 = 0.05;

/// Chooses the interval. Pure.
#[derive(Debug, Default)]
struct Interval {
    /// Bytes since the last message.
    received: usize,
    sent_at: Option<Instant>,
    interval: Option<Duration>,
}

impl Interval {
    fn handle_packet(&mut self, bytes: usize) {
        self.received += bytes;
    }

    /// Whether a message is due, with the next time set.
    fn handle_timeout(&mut self, now: Instant) -> bool {
        let Some(sent_at) = self.sent_at else {
            self.sent_at = Some(now);
            return true;
        };
        let passed = now.saturating_duration_since(sent_at);
        if passed < self.interval.unwrap_or(SHORTEST) {
            return false;
        }
        let allowed = (self.received as f64 * SHARE / passed.as_secs_f64().max(0.001)).max(1.0);
        let next = Duration::from_secs_f64((MESSAGE_BYTES / allowed).min(1.0));
        self.interval = Some(next.clamp(SHORTEST, LONGEST));
        self.sent_at = Some(now);
        self.received = 0;
        true
    }

    fn due(&self) -> Option<Instant> {
        Some(self.sent_at? + self.interval.unwrap_or(SHORTEST))
    }
}

/// Around the library's generator, which must have an interval of at most [`SHORTEST`].
pub(crate) struct FeedbackInterval<I> {
    generator: I,
    interval: Interval,
}

impl<I> FeedbackInterval<I> {
    pub(crate) fn new(generator: I) -> Self {
        Self {
            generator,
            interval: Interval::default(),
        }
    }
}

impl<I: Interceptor> Protocol<TaggedPacket, TaggedPacket, ()> for FeedbackInterval<I> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &message.message.packet {
            self.interval.handle_packet(packet.marshal_size());
        }
        self.generator.handle_read(message)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.generator.poll_read()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.generator.handle_write(message)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.generator.poll_write()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        // Before the first packet there is no timer and nothing to report.
        let wanted = self.generator.poll_timeout().is_some_and(|due| due <= now);
        if wanted && self.interval.handle_timeout(now) {
            return self.generator.handle_timeout(now);
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        let due = self.generator.poll_timeout()?;
        Some(self.interval.due().map_or(due, |ours| ours.max(due)))
    }
}

impl<I: Interceptor> Interceptor for FeedbackInterval<I> {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.generator.bind_local_stream(info);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.generator.unbind_local_stream(info);
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.generator.bind_remote_stream(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.generator.unbind_remote_stream(info);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages in 10 s of packets of `bytes`, `per_second` of them, with a timer every 5 ms.
    fn messages(bytes: usize, per_second: u64) -> usize {
        let (mut interval, begin) = (Interval::default(), Instant::now());
        (0..2000_u64)
            .filter(|tick| {
                if tick * per_second / 200 != (tick + 1) * per_second / 200 {
                    interval.handle_packet(bytes);
                }
                interval.handle_timeout(begin + Duration::from_millis(tick * 5))
            })
            .count()
    }

    #[test]
    fn a_picture_is_reported_on_every_50_ms_and_a_voice_alone_every_quarter_of_a_second() {
        let fast = messages(1200, 200);
        assert!((190..=202).contains(&fast), "{fast}");
        let slow = messages(80, 50);
        assert!((38..=50).contains(&slow), "{slow}");
    }
}
