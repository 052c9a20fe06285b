//! Whether a client sends more ping and pong frames than anybody needs. Pure: moments are passed in.
//!
//! Messages have the same limit in the switchboard; these frames never get there, but each ping is answered and both cost
//! time. They are counted apart from messages, so that a client may answer pings however much it has to say.

use std::time::{Duration, Instant};

/// Frames per second, and at once after a pause (IM-Suite §12).
const RATE: f32 = 20.0;
const BURST: f32 = 200.0;
/// How long the rate may be exceeded (IM-Suite §12).
const PATIENCE: Duration = Duration::from_secs(10);
/// The rate counts as kept again when nothing was over it for so long (chosen).
const RECOVERY: Duration = Duration::from_secs(1);

/// A bucket of tokens, and since when it has been empty again and again.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    /// Absent until the first frame, because most connections see one in half a minute.
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    tokens: f32,
    /// First and last time without a token.
    over: Option<(Instant, Instant)>,
}

impl Flood {
    /// Counts one frame; whether the client has been over the rate for too long.
    pub(crate) fn is_too_much(&mut self, now: Instant) -> bool {
        let seen = self.seen.get_or_insert(Seen {
            at: now,
            tokens: BURST,
            over: None,
        });
        let passed = now.saturating_duration_since(seen.at).as_secs_f32();
        seen.at = now;
        seen.tokens = (seen.tokens + passed * RATE).min(BURST);
        if seen.tokens >= 1.0 {
            seen.tokens -= 1.0;
            return false;
        }
        let since = match seen.over {
            Some((since, last)) if now.saturating_duration_since(last) < RECOVERY => since,
            Some(_) | None => now,
        };
        seen.over = Some((since, now));
        now.saturating_duration_since(since) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends frames at a rate for some seconds; when it became too much.
    fn flooded_after(per_second: u32, seconds: u32) -> Option<Duration> {
        let (start, mut flood) = (Instant::now(), Flood::default());
        (0..per_second * seconds)
            .map(|frame| Duration::from_secs(1) * frame / per_second)
            .find(|after| flood.is_too_much(start + *after))
    }

    #[test]
    fn who_keeps_the_rate_is_never_too_much() {
        assert_eq!(flooded_after(19, 600), None);
    }

    #[test]
    fn ten_seconds_over_the_rate_are_too_much() {
        let after = flooded_after(1000, 60).unwrap();
        // The burst is used up within 0.2 s.
        assert!((10.0..10.5).contains(&after.as_secs_f64()), "{after:?}");
    }

    #[test]
    fn bursts_with_pauses_are_not_too_much() {
        let (mut now, mut flood) = (Instant::now(), Flood::default());
        for _ in 0..100 {
            for _ in 0..250 {
                assert!(!flood.is_too_much(now));
                now += Duration::from_millis(1);
            }
            now += Duration::from_secs(12);
        }
    }
}
