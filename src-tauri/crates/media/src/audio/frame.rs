//! The frame and the step from and to a device's channels.

use crate::units::SampleRate;
use std::time::{Duration, Instant};

/// Samples of a usual frame: 20 ms of mono at 48 kHz, the size every Opus peer takes (RFC 7587 §4.2).
pub const FRAME_SAMPLES: usize = 960;

/// Time of a usual frame.
pub const FRAME_TIME: Duration = Duration::from_millis(20);

/// Appends the mean of all channels of interleaved samples.
pub fn mix_to_mono(interleaved: &[f32], channels: u16, mono: &mut Vec<f32>) {
    match channels {
        0 | 1 => mono.extend_from_slice(interleaved),
        _ => {
            let share = 1.0 / f32::from(channels);
            let frames = interleaved.chunks_exact(usize::from(channels));
            mono.extend(frames.map(|frame| frame.iter().sum::<f32>() * share));
        }
    }
}

/// Appends mono samples to every channel of an interleaved buffer.
pub fn spread_to_channels(mono: &[f32], channels: u16, interleaved: &mut Vec<f32>) {
    match channels {
        0 | 1 => interleaved.extend_from_slice(mono),
        _ => {
            for &sample in mono {
                interleaved.extend(std::iter::repeat_n(sample, usize::from(channels)));
            }
        }
    }
}

/// Cuts a stream of interleaved 48 kHz samples into frames and knows when each was captured.
#[derive(Debug)]
pub struct FrameCutter {
    /// Samples per channel of one frame.
    size: usize,
    channels: u16,
    pending: Vec<f32>,
    /// The moment after the last pending sample.
    end: Option<Instant>,
}

impl FrameCutter {
    /// `size`: samples per channel of one frame. Mono at first.
    pub fn new(size: usize) -> Self {
        // A read is at most 100 ms; with a remainder below one frame nothing grows later.
        Self {
            size,
            channels: 1,
            pending: Vec::with_capacity(8 * FRAME_SAMPLES),
            end: None,
        }
    }

    /// Cuts frames of so many samples from the next one on.
    pub fn set_size(&mut self, size: usize) {
        self.size = size;
    }

    /// Takes samples of so many channels from here on; those that wait become such.
    pub fn set_channels(&mut self, channels: u16) {
        if channels == self.channels {
            return;
        }
        let mut mono = Vec::with_capacity(self.pending.len());
        mix_to_mono(&self.pending, self.channels, &mut mono);
        self.pending.clear();
        spread_to_channels(&mono, channels, &mut self.pending);
        self.channels = channels;
    }

    /// Takes samples of which the last was captured at `now`.
    pub fn push(&mut self, samples: &[f32], now: Instant) {
        if !samples.is_empty() {
            self.pending.extend_from_slice(samples);
            self.end = Some(now);
        }
    }

    /// Moves the next whole frame to `frame` (emptied first) and returns when its first sample was captured.
    pub fn cut(&mut self, frame: &mut Vec<f32>) -> Option<Instant> {
        let channels = usize::from(self.channels);
        let whole = self.size * channels;
        if self.pending.len() < whole {
            return None;
        }
        let end = self.end?;
        let age = SampleRate::HZ_48000.time_of(self.pending.len() / channels);
        frame.clear();
        frame.extend_from_slice(&self.pending[..whole]);
        self.pending.drain(..whole);
        Some(end.checked_sub(age).unwrap_or(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_averaged_and_spread() {
        let mut mono = Vec::new();
        mix_to_mono(&[1.0, 0.0, -0.5, 0.5], 2, &mut mono);
        assert_eq!(mono, [0.5, 0.0]);
        let mut out = Vec::new();
        spread_to_channels(&[0.25, 0.5], 3, &mut out);
        assert_eq!(out, [0.25, 0.25, 0.25, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn a_frame_was_captured_when_its_first_sample_was() {
        let start = Instant::now();
        let mut cutter = FrameCutter::new(FRAME_SAMPLES);
        let mut frame = Vec::new();
        for step in 1..=5 {
            cutter.push(&[0.0; 480], start + Duration::from_millis(10 * step));
        }
        assert_eq!(cutter.cut(&mut frame), Some(start));
        assert_eq!(cutter.cut(&mut frame), Some(start + FRAME_TIME));
        assert_eq!(cutter.cut(&mut frame), None);
        assert_eq!(frame.len(), FRAME_SAMPLES);
    }

    #[test]
    fn samples_that_wait_go_over_to_another_number_of_channels() {
        let start = Instant::now();
        let mut cutter = FrameCutter::new(FRAME_SAMPLES);
        let mut frame = Vec::new();
        cutter.push(&[0.5; 480], start + FRAME_TIME / 2);
        cutter.set_channels(2);
        cutter.push(&[0.25; 960], start + FRAME_TIME);
        assert_eq!(cutter.cut(&mut frame), Some(start));
        assert_eq!((frame.len(), frame[959], frame[960]), (1_920, 0.5, 0.25));
    }

    #[test]
    fn another_size_counts_from_the_next_frame_on() {
        let start = Instant::now();
        let mut cutter = FrameCutter::new(FRAME_SAMPLES);
        let mut frame = Vec::new();
        cutter.push(&[0.0; 4_800], start + 5 * FRAME_TIME);
        cutter.cut(&mut frame).expect("there is more than one");
        cutter.set_size(3 * FRAME_SAMPLES);
        assert_eq!(cutter.cut(&mut frame), Some(start + FRAME_TIME));
        assert_eq!(frame.len(), 2_880);
        assert_eq!(cutter.cut(&mut frame), None);
        cutter.set_size(FRAME_SAMPLES);
        assert_eq!(cutter.cut(&mut frame), Some(start + 4 * FRAME_TIME));
    }
}
