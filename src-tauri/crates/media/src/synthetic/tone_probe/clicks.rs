//! Where a click starts: the envelope around its frequency, compared with its shape.

use crate::synthetic::tone::{CLICK_HZ, CLICK_SAMPLES, click_peak, raised_cosine};
use std::f32::consts::TAU;

/// Samples between two looks: a quarter of a millisecond is the precision.
const HOP: usize = 12;

/// Fraction of the click's own envelope that counts as one; a tone of any pitch stays far below.
const THRESHOLD: f32 = 0.25;

/// Samples after a click in which no other is expected: half a second.
const PAUSE: u64 = 24_000;

/// Listens sample by sample.
#[derive(Debug)]
pub(super) struct ClickDetector {
    /// The shape of a click times its carrier, cosine and sine.
    shape: Vec<(f32, f32)>,
    /// The last samples, a ring of the length of a click.
    recent: Vec<f32>,
    heard: u64,
    /// Envelope and start of the best match of the click that is just being heard.
    rising: Option<(f32, u64)>,
    last: Option<u64>,
}

impl ClickDetector {
    pub(super) fn new() -> Self {
        Self::starting_at(0)
    }

    /// Listens from the sample with this number on.
    pub(super) fn starting_at(first: u64) -> Self {
        let shape = (0..CLICK_SAMPLES)
            .map(|n| {
                let phase = TAU * (n * CLICK_HZ as usize % 48_000) as f32 / 48_000.0;
                (raised_cosine(n) * phase.cos(), raised_cosine(n) * phase.sin())
            })
            .collect();
        Self {
            shape,
            recent: vec![0.0; CLICK_SAMPLES],
            heard: first,
            rising: None,
            last: None,
        }
    }

    /// Takes the next sample; the number of a click's first sample once its whole shape has passed.
    pub(super) fn hear(&mut self, sample: f32) -> Option<u64> {
        let length = CLICK_SAMPLES as u64;
        self.recent[(self.heard % length) as usize] = sample;
        self.heard += 1;
        if !self.heard.is_multiple_of(HOP as u64) {
            return None;
        }
        let start = self.heard.saturating_sub(length);
        let envelope = self.envelope();
        let best = self.rising.map_or(0.0, |(best, _)| best);
        if envelope > best && envelope > THRESHOLD && self.last.is_none_or(|last| start > last + PAUSE) {
            self.rising = Some((envelope, start));
            return None;
        }
        let (_, click) = self.rising?;
        if start < click + length {
            return None;
        }
        self.rising = None;
        self.last = Some(click);
        Some(click)
    }

    /// How much the last samples look like a click: 1 for the click of the source.
    fn envelope(&self) -> f32 {
        let oldest = (self.heard % CLICK_SAMPLES as u64) as usize;
        let (newer, older) = self.recent.split_at(oldest);
        let (mut re, mut im) = (0.0, 0.0);
        for (sample, (cos, sin)) in older.iter().chain(newer).zip(&self.shape) {
            re += sample * cos;
            im += sample * sin;
        }
        // The squares of a raised cosine sum to 3/8 of its length, and the carrier halves that.
        let own = click_peak() * CLICK_SAMPLES as f32 * 3.0 / 16.0;
        (re * re + im * im).sqrt() / own
    }
}
