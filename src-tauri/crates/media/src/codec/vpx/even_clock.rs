//! Times of pictures as libvpx is told them: the rate they come at, without their unevenness. Pure.
//!
//! libvpx takes the gap before a picture for the rate of all, and spends by it. Where every third picture of a camera is left
//! out, that is 30 % more than the bitrate it was given; and after a pause on a path that was full, one large picture.

use std::time::{Duration, Instant};

/// How the gap follows each one: within eight pictures.
const FOLLOWS: f64 = 0.2;

#[derive(Debug)]
pub(super) struct EvenClock {
    hz: u32,
    /// Ticks from one picture to the next.
    gap: f64,
    newest: Option<(Instant, i64)>,
}

impl EvenClock {
    /// With so many ticks a second, for pictures that are expected so long after each other.
    pub(super) fn new(hz: u32, expected: Duration) -> Self {
        Self {
            hz,
            gap: expected.as_secs_f64() * f64::from(hz),
            newest: None,
        }
    }

    /// The tick of a picture; it grows, as libvpx wants it.
    pub(super) fn handle_picture(&mut self, captured_at: Instant) -> i64 {
        let tick = match self.newest {
            None => 0,
            Some((before, tick)) => {
                let real = captured_at.saturating_duration_since(before).as_secs_f64() * f64::from(self.hz);
                self.gap += FOLLOWS * (real - self.gap);
                tick + (self.gap as i64).max(1)
            }
        };
        self.newest = Some((captured_at, tick));
        tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks between pictures at these milliseconds.
    fn gaps(milliseconds: &[u64]) -> Vec<i64> {
        let (begin, mut clock) = (Instant::now(), EvenClock::new(90_000, Duration::from_millis(33)));
        let ticks: Vec<i64> = milliseconds
            .iter()
            .map(|at| clock.handle_picture(begin + Duration::from_millis(*at)))
            .collect();
        ticks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn two_of_three_pictures_come_evenly_and_as_often_as_they_do() {
        let two_of_three: Vec<u64> = (0..100)
            .map(|number| number / 2 * 100 + number % 2 * 33)
            .collect();
        let gaps = gaps(&two_of_three);
        let settled = &gaps[20..];
        assert!(
            settled.iter().all(|gap| (4000..=5000).contains(gap)),
            "{settled:?}"
        );
        let mean = settled.iter().sum::<i64>() as f64 / settled.len() as f64;
        assert!((mean - 4500.0).abs() < 60.0, "{mean}");
    }

    #[test]
    fn a_pause_is_no_slower_rate_and_another_rate_is_soon_known() {
        let after_a_pause = gaps(&[0, 33, 66, 100, 700, 733, 766]);
        assert!(after_a_pause.iter().all(|gap| *gap < 14_000), "{after_a_pause:?}");
        let slower: Vec<u64> = (0..20).map(|number| number * 100).collect();
        assert!(gaps(&slower)[9] > 8_000);
    }

    #[test]
    fn times_that_do_not_grow_still_have_ticks_that_do() {
        assert!(gaps(&[100; 60]).iter().all(|gap| *gap >= 1));
    }
}
