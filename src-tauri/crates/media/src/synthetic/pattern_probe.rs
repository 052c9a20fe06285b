//! A screen that reads the pattern and reports what came of it: number, order, freezes, delay, likeness.

use super::likeness::{Likeness, PatternComparison};
use super::pattern::{self, PatternMark, wall_ms_now};
use super::tone_probe::Percentiles;
use crate::device::VideoSink;
use crate::units::Resolution;
use crate::video::VideoFrame;
use crate::video::freeze::FreezeCounter;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What came since the last report, or since the beginning.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VideoProbeReport {
    /// Pictures shown, readable or not.
    pub frames: u64,
    /// Pictures shown per second.
    pub fps: f64,
    /// Numbers that were skipped.
    pub lost: u64,
    /// Pictures whose number was that of the one before or lower.
    pub backwards: u64,
    /// Pictures without a pattern that could be read.
    pub unreadable: u64,
    /// As in webrtc-stats: gaps above max(3 x mean, mean + 150 ms).
    pub freeze_count: u64,
    /// Seconds.
    pub freeze_s: f64,
    /// From the drawing of the picture to its showing, milliseconds; exact when both ends share a clock.
    pub latency_ms: Option<Percentiles>,
    /// Mean of the pictures that were compared with the drawn pattern; `None` where none was.
    pub likeness: Option<Likeness>,
    /// When the first picture as high as the drawn pattern was shown; `None` before, and where its size is not known.
    pub full_size_at: Option<Instant>,
    /// Of the last picture, pixels; 0 before the first.
    pub width: u32,
    pub height: u32,
}

/// The screen.
#[derive(Debug)]
pub struct VideoProbe {
    tally: Arc<Mutex<Tally>>,
    comparison: Option<PatternComparison>,
}

/// Reads the reports of one [`VideoProbe`], also after it is gone; clones read the same ones.
#[derive(Debug, Clone)]
pub struct VideoProbeReader {
    tally: Arc<Mutex<Tally>>,
}

impl VideoProbe {
    /// Makes a screen, and the reader of its reports. With the size that the pattern was drawn in, some of its pictures are
    /// compared with what was drawn.
    pub fn new(pattern: Option<Resolution>) -> (Self, VideoProbeReader) {
        let tally = Arc::new(Mutex::new(Tally::new(Instant::now(), pattern)));
        (
            Self {
                tally: Arc::clone(&tally),
                comparison: pattern.map(PatternComparison::new),
            },
            VideoProbeReader { tally },
        )
    }
}

impl VideoSink for VideoProbe {
    fn show(&mut self, now: Instant, frame: VideoFrame) {
        let mark = pattern::read(&frame.picture);
        let size = frame.picture.resolution();
        lock(&self.tally).handle_shown(now, size, mark, wall_ms_now());
        let likeness = match (mark, &mut self.comparison) {
            (Some(mark), Some(comparison)) => comparison.compare(now, mark, &frame.picture),
            (None, _) | (_, None) => None,
        };
        if let Some(likeness) = likeness {
            lock(&self.tally).handle_compared(likeness);
        }
    }
}

impl VideoProbeReader {
    /// What came since the last call of this, by whichever reader.
    pub fn interval(&self) -> VideoProbeReport {
        lock(&self.tally).interval_report(Instant::now())
    }

    /// What came since the beginning.
    pub fn total(&self) -> VideoProbeReport {
        lock(&self.tally).total_report(Instant::now())
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The counting, told the time.
#[derive(Debug)]
struct Tally {
    total: Counts,
    interval: Counts,
    freezes: FreezeCounter,
    last_number: Option<u32>,
    size: Option<Resolution>,
    /// That of the drawn pattern.
    full_size: Option<Resolution>,
    full_size_at: Option<Instant>,
}

#[derive(Debug)]
struct Counts {
    since: Instant,
    frames: u64,
    lost: u64,
    backwards: u64,
    unreadable: u64,
    freezes_before: u64,
    frozen_before: Duration,
    latency: Histogram,
    /// Sum over the compared pictures, and how many they were.
    likeness: Likeness,
    compared: u32,
}

impl Tally {
    fn new(now: Instant, full_size: Option<Resolution>) -> Self {
        Self {
            total: Counts::new(now, 0, Duration::ZERO),
            interval: Counts::new(now, 0, Duration::ZERO),
            freezes: FreezeCounter::default(),
            last_number: None,
            size: None,
            full_size,
            full_size_at: None,
        }
    }

    fn handle_shown(&mut self, now: Instant, size: Resolution, mark: Option<PatternMark>, wall_ms: u64) {
        self.size = Some(size);
        if self.full_size.is_some_and(|full| size.height >= full.height) {
            self.full_size_at.get_or_insert(now);
        }
        self.freezes.handle_shown(now);
        let last = match mark {
            Some(mark) => self.last_number.replace(mark.number),
            None => None,
        };
        for counts in [&mut self.total, &mut self.interval] {
            counts.frames += 1;
            let Some(mark) = mark else {
                counts.unreadable += 1;
                continue;
            };
            counts.latency.add(wall_ms.saturating_sub(mark.wall_ms));
            match last.map(|last| mark.number.wrapping_sub(last).cast_signed()) {
                Some(step @ 1..) => counts.lost += u64::from(step.unsigned_abs() - 1),
                Some(_) => counts.backwards += 1,
                None => {}
            }
        }
    }

    fn handle_compared(&mut self, likeness: Likeness) {
        for counts in [&mut self.total, &mut self.interval] {
            counts.likeness = counts.likeness.plus(likeness);
            counts.compared += 1;
        }
    }

    fn interval_report(&mut self, now: Instant) -> VideoProbeReport {
        let fresh = Counts::new(now, self.freezes.count(), self.freezes.total());
        let counts = std::mem::replace(&mut self.interval, fresh);
        self.report(&counts, now)
    }

    fn total_report(&self, now: Instant) -> VideoProbeReport {
        self.report(&self.total, now)
    }

    fn report(&self, counts: &Counts, now: Instant) -> VideoProbeReport {
        let seconds = now.saturating_duration_since(counts.since).as_secs_f64();
        VideoProbeReport {
            frames: counts.frames,
            fps: if seconds > 0.0 {
                counts.frames as f64 / seconds
            } else {
                0.0
            },
            lost: counts.lost,
            backwards: counts.backwards,
            unreadable: counts.unreadable,
            freeze_count: self.freezes.count() - counts.freezes_before,
            freeze_s: (self.freezes.total() - counts.frozen_before).as_secs_f64(),
            latency_ms: counts.latency.percentiles(),
            likeness: (counts.compared > 0).then(|| counts.likeness.over(counts.compared)),
            full_size_at: self.full_size_at,
            width: self.size.map_or(0, |size| size.width),
            height: self.size.map_or(0, |size| size.height),
        }
    }
}

impl Counts {
    fn new(since: Instant, freezes_before: u64, frozen_before: Duration) -> Self {
        Self {
            since,
            frames: 0,
            lost: 0,
            backwards: 0,
            unreadable: 0,
            freezes_before,
            frozen_before,
            latency: Histogram::default(),
            likeness: Likeness::default(),
            compared: 0,
        }
    }
}

/// Delays in steps of a millisecond.
#[derive(Debug, Default)]
struct Histogram {
    /// Grows to the longest delay met, at most [`Histogram::LONGEST_MS`].
    counts: Vec<u32>,
    total: u64,
}

impl Histogram {
    /// What is longer counts as this long.
    const LONGEST_MS: u64 = 10_000;

    fn add(&mut self, milliseconds: u64) {
        let at = milliseconds.min(Self::LONGEST_MS) as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.total += 1;
    }

    fn percentiles(&self) -> Option<Percentiles> {
        Some(Percentiles {
            p50: self.quantile(0.5)?,
            p95: self.quantile(0.95)?,
        })
    }

    /// The least delay that this share of all does not exceed.
    fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.counts.iter().enumerate().find_map(|(milliseconds, count)| {
            seen += u64::from(*count);
            (seen >= wanted).then_some(milliseconds as f64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::I420;

    const SIZE: Resolution = Resolution::new(320, 180);

    /// Shows numbers 33 ms apart, each with its delay in milliseconds.
    fn show(tally: &mut Tally, start: Instant, shown: &[(u32, u64)]) {
        for (at, (number, delay)) in shown.iter().enumerate() {
            let mark = PatternMark {
                number: *number,
                wall_ms: 1_000_000,
            };
            tally.handle_shown(
                start + Duration::from_millis(33) * at as u32,
                SIZE,
                Some(mark),
                1_000_000 + delay,
            );
        }
    }

    #[test]
    fn skipped_repeated_and_backward_numbers_are_told_apart() {
        let start = Instant::now();
        let mut tally = Tally::new(start, None);
        show(
            &mut tally,
            start,
            &[(u32::MAX - 1, 5), (u32::MAX, 5), (2, 5), (2, 5), (1, 5), (2, 5)],
        );
        let report = tally.total_report(start + Duration::from_millis(200));
        assert_eq!(
            (report.frames, report.lost, report.backwards, report.unreadable),
            (6, 2, 2, 0)
        );
        assert_eq!(report.fps, 30.0);
        assert_eq!((report.width, report.height), (320, 180));
    }

    #[test]
    fn delays_are_reported_by_their_quantiles() {
        let start = Instant::now();
        let mut tally = Tally::new(start, None);
        let shown: Vec<_> = (1..=100).map(|number| (number, u64::from(number))).collect();
        show(&mut tally, start, &shown);
        let report = tally.total_report(start + Duration::from_secs(1));
        assert_eq!(report.latency_ms, Some(Percentiles { p50: 50.0, p95: 95.0 }));
        assert_eq!(Tally::new(start, None).total_report(start).latency_ms, None);
    }

    #[test]
    fn an_interval_counts_from_the_report_before() {
        let start = Instant::now();
        let mut tally = Tally::new(start, None);
        show(&mut tally, start, &[(0, 9), (1, 9), (2, 9)]);
        assert_eq!(tally.interval_report(start + Duration::from_secs(1)).frames, 3);
        let later = start + Duration::from_secs(2);
        tally.handle_shown(later, SIZE, None, 0);
        let report = tally.interval_report(later);
        assert_eq!((report.frames, report.unreadable, report.freeze_count), (1, 1, 1));
        assert!((report.freeze_s - 1.934).abs() < 0.001, "{}", report.freeze_s);
        assert_eq!(tally.interval_report(later).freeze_count, 0);
        assert_eq!(tally.total_report(later).freeze_count, 1);
    }

    #[test]
    fn the_first_picture_of_full_size_is_told() {
        let start = Instant::now();
        let mut tally = Tally::new(start, Some(SIZE));
        let half = Resolution::new(160, 90);
        for (at, size) in [half, half, SIZE, SIZE, half].into_iter().enumerate() {
            tally.handle_shown(start + Duration::from_millis(100) * at as u32, size, None, 0);
        }
        let report = tally.total_report(start + Duration::from_secs(1));
        assert_eq!(report.full_size_at, Some(start + Duration::from_millis(200)));
    }

    #[test]
    fn the_screen_reads_what_is_drawn() {
        let (mut sink, reader) = VideoProbe::new(None);
        let now = Instant::now();
        for number in [3, 5] {
            let mut picture = I420::black(SIZE);
            pattern::draw(
                PatternMark {
                    number,
                    wall_ms: wall_ms_now(),
                },
                &mut picture,
            );
            sink.show(
                now,
                VideoFrame {
                    picture: Arc::new(picture),
                    captured_at: now,
                },
            );
        }
        let report = reader.total();
        assert_eq!((report.frames, report.lost, report.unreadable), (2, 1, 0));
        assert!(
            report.latency_ms.is_some_and(|latency| latency.p95 < 5000.0),
            "{report:?}"
        );
        assert_eq!(report.likeness, None);
    }
}
