//! `probe` for sound: a speaker that listens for the tone and the clicks of [`ToneSource`](super::tone::ToneSource) and
//! measures what has become of them.
//!
//! It plays by the clock and looks at the samples in the order in which they would be heard, the silence of an empty
//! queue included. The analysis runs inside `write`, on the thread of the playout.

mod clicks;
mod frequency;
mod quality;

use super::clock::WallClock;
use crate::audio::level::{Level, from_dbfs};
use crate::audio::pace::PlaybackPace;
use crate::device::{AudioFormat, AudioSink, DeviceError};
use crate::units::SampleRate;
use clicks::ClickDetector;
use quality::ToneQuality;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was heard, in one interval or since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AudioProbeReport {
    /// Hz of the tone, once it is known.
    pub frequency: Option<u32>,
    /// Power of the tone over that of everything else but clicks, in dB; `None` when no tone was heard.
    pub tone_db: Option<f64>,
    /// Holes of at least 10 ms in the tone.
    pub gaps: u64,
    /// Length of all holes.
    pub gap_time: Duration,
    pub clicks: u64,
    /// Whole seconds between the first and the last click without one.
    pub clicks_lost: u64,
    /// From the whole second to the click, in milliseconds, modulo one second.
    pub latency_ms: Option<Percentiles>,
    /// Sound analysed after the tone was found.
    pub heard: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
}

/// The speaker.
#[derive(Debug)]
pub struct AudioProbe {
    pace: PlaybackPace,
    analysis: Analysis,
    ear: Arc<Mutex<Ear>>,
}

/// Reads the reports of one [`AudioProbe`], also after it is gone.
#[derive(Debug, Clone)]
pub struct AudioProbeReader {
    ear: Arc<Mutex<Ear>>,
}

impl AudioProbe {
    /// Makes a probe that knows nothing of the tone but its grammar; `clock` must be that of the source.
    pub fn new(clock: WallClock) -> (Self, AudioProbeReader) {
        let ear = Arc::new(Mutex::new(Ear::default()));
        let pace = PlaybackPace::new(SampleRate::HZ_48000);
        let analysis = Analysis::new(clock);
        (
            Self {
                pace,
                analysis,
                ear: Arc::clone(&ear),
            },
            AudioProbeReader { ear },
        )
    }
}

impl AudioProbeReader {
    /// What was heard since the last call of this.
    pub fn interval(&self) -> AudioProbeReport {
        let mut ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        let report = ear.interval.report(ear.frequency);
        ear.interval = Tally::default();
        report
    }

    /// What was heard since the start.
    pub fn total(&self) -> AudioProbeReport {
        let ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        ear.total.report(ear.frequency)
    }
}

impl AudioSink for AudioProbe {
    fn format(&self) -> AudioFormat {
        AudioFormat {
            rate: SampleRate::HZ_48000,
            channels: 1,
        }
    }

    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
        Ok(self.pace.queued(now))
    }

    fn write(&mut self, now: Instant, samples: &[f32]) -> Result<(), DeviceError> {
        let placed = self.pace.place(now, samples.len());
        let mut ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        let silence = [0.0; 480];
        let mut dry = placed.dry.min(LONGEST_PAUSE);
        let skipped = placed.dry - dry;
        self.analysis.skip(skipped);
        while dry > 0 {
            let step = dry.min(silence.len() as u64) as usize;
            self.analysis.hear(&silence[..step], &self.pace, &mut ear);
            dry -= step as u64;
        }
        self.analysis.hear(&samples[..placed.taken], &self.pace, &mut ear);
        Ok(())
    }

    fn underruns(&self) -> u64 {
        self.pace.underruns()
    }
}

/// Samples of silence analysed for one pause at most; it is one hole in any case.
const LONGEST_PAUSE: u64 = 480_000;

/// Samples that the judgement of the tone stays behind the search for clicks, which it leaves out.
const HINDSIGHT: usize = 3_840;

/// Samples left out before and after the start of a click: Opus spreads it over its own frame and the one before.
const BEFORE_CLICK: u64 = 1_200;
const AFTER_CLICK: u64 = 1_440;

/// Full scale = 1: -50 dBFS. A tone search on less than that would find hum.
fn audible() -> f32 {
    from_dbfs(-50.0)
}

/// What is heard, sample by sample.
#[derive(Debug)]
struct Analysis {
    clock: WallClock,
    /// Samples not yet judged; the first has the number `first`.
    recent: VecDeque<f32>,
    first: u64,
    clicks: ClickDetector,
    /// Starts of the last clicks.
    excluded: VecDeque<u64>,
    tone: Tone,
    window: Vec<f32>,
}

#[derive(Debug)]
enum Tone {
    /// Nothing judged yet; samples collect until the frequency can be told.
    Searching,
    Following(ToneQuality),
}

impl Analysis {
    fn new(clock: WallClock) -> Self {
        Self {
            clock,
            recent: VecDeque::with_capacity(frequency::SEARCH + HINDSIGHT),
            first: 0,
            clicks: ClickDetector::new(),
            excluded: VecDeque::new(),
            tone: Tone::Searching,
            window: Vec::with_capacity(frequency::SEARCH),
        }
    }

    /// Passes over samples of the time line that are not worth analysing.
    fn skip(&mut self, samples: u64) {
        if samples > 0 {
            self.first += self.recent.len() as u64 + samples;
            self.recent.clear();
            self.clicks = ClickDetector::starting_at(self.first);
        }
    }

    fn hear(&mut self, samples: &[f32], pace: &PlaybackPace, ear: &mut Ear) {
        self.recent.extend(samples);
        for &sample in samples {
            let Some(click) = self.clicks.hear(sample) else {
                continue;
            };
            self.excluded.push_back(click);
            if self.excluded.len() > 4 {
                self.excluded.pop_front();
            }
            if let Some(played_at) = pace.played_at(click) {
                ear.click(click, self.clock.unix_at(played_at));
            }
        }
        loop {
            let went_on = match &mut self.tone {
                Tone::Searching => self.search(ear),
                Tone::Following(_) => self.follow(ear),
            };
            if !went_on {
                return;
            }
        }
    }

    fn search(&mut self, ear: &mut Ear) -> bool {
        if self.recent.len() < frequency::SEARCH + HINDSIGHT {
            return false;
        }
        self.window.clear();
        self.window.extend(self.recent.iter().take(frequency::SEARCH));
        let is_audible = Level::of(&self.window).rms > audible();
        match is_audible.then(|| frequency::find(&self.window)).flatten() {
            Some(hz) => {
                ear.frequency = Some(hz);
                // The samples that told the frequency are judged too, from the first audible one on.
                let silent = self.window.iter().take_while(|s| s.abs() < audible()).count();
                self.advance(silent);
                self.tone = Tone::Following(ToneQuality::new(hz));
            }
            None => self.advance(frequency::SEARCH / 5),
        }
        true
    }

    fn follow(&mut self, ear: &mut Ear) -> bool {
        let Tone::Following(quality) = &mut self.tone else {
            return false;
        };
        let length = quality.window();
        if self.recent.len() < length + HINDSIGHT {
            return false;
        }
        self.window.clear();
        self.window.extend(self.recent.iter().take(length));
        let end = self.first + length as u64;
        let has_click = self
            .excluded
            .iter()
            .any(|&click| end + BEFORE_CLICK > click && self.first < click + AFTER_CLICK);
        let judgement = quality.judge(&self.window, has_click);
        let is_another_tone = quality.is_another_tone();
        ear.judged(judgement, length);
        self.advance(length);
        if is_another_tone {
            self.tone = Tone::Searching;
        }
        true
    }

    fn advance(&mut self, samples: usize) {
        self.recent.drain(..samples);
        self.first += samples as u64;
    }
}

/// Results, shared with the reader.
#[derive(Debug, Default)]
struct Ear {
    frequency: Option<u32>,
    last_click: Option<u64>,
    interval: Tally,
    total: Tally,
}

impl Ear {
    fn click(&mut self, sample: u64, heard_at: Duration) {
        let lost = self.last_click.map_or(0, |last| {
            let seconds = (sample - last) as f64 / 48_000.0;
            (seconds.round() as u64).saturating_sub(1)
        });
        self.last_click = Some(sample);
        let latency = f64::from(heard_at.subsec_nanos()) / 1e6;
        for tally in [&mut self.interval, &mut self.total] {
            tally.clicks += 1;
            tally.clicks_lost += lost;
            if tally.latencies.len() == MOST_LATENCIES {
                tally.latencies.pop_front();
            }
            tally.latencies.push_back(latency);
        }
    }

    fn judged(&mut self, judgement: quality::Judgement, samples: usize) {
        for tally in [&mut self.interval, &mut self.total] {
            tally.samples += samples as u64;
            tally.gaps += u64::from(judgement.gap_began);
            tally.gap_samples += judgement.gap_samples;
            tally.tone_power += judgement.tone_power;
            tally.other_power += judgement.other_power;
        }
    }
}

/// Latencies kept for percentiles: those of the last hour and a bit.
const MOST_LATENCIES: usize = 4096;

#[derive(Debug, Default)]
struct Tally {
    samples: u64,
    gaps: u64,
    gap_samples: u64,
    tone_power: f64,
    other_power: f64,
    clicks: u64,
    clicks_lost: u64,
    latencies: VecDeque<f64>,
}

impl Tally {
    fn report(&self, frequency: Option<u32>) -> AudioProbeReport {
        let rate = SampleRate::HZ_48000;
        AudioProbeReport {
            frequency,
            tone_db: (self.tone_power > 0.0).then(|| ratio_db(self.tone_power, self.other_power)),
            gaps: self.gaps,
            gap_time: rate.time_of(self.gap_samples as usize),
            clicks: self.clicks,
            clicks_lost: self.clicks_lost,
            latency_ms: percentiles(&self.latencies),
            heard: rate.time_of(self.samples as usize),
        }
    }
}

/// A pure tone through nothing at all ends at 120 dB, the precision of the samples.
fn ratio_db(tone: f64, other: f64) -> f64 {
    10.0 * (tone / other.max(tone * 1e-12)).log10()
}

fn percentiles(values: &VecDeque<f64>) -> Option<Percentiles> {
    let mut sorted: Vec<f64> = values.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = |share: f64| sorted[(last as f64 * share).round() as usize];
    Some(Percentiles {
        p50: at(0.5),
        p95: at(0.95),
    })
}

#[cfg(test)]
mod tests;
