//! The two functions that run inside the sound driver's callback.
//!
//! They copy samples and count: no allocation, lock, log, clock, system call or panic. Each is a plain function over its
//! state, so a test runs it under an allocator that counts.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use cpal::{FromSample, Sample};
use rtrb::{Consumer, Producer, RingBuffer};

/// What the callbacks count; read by the other end.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls of the callback.
    pub callbacks: AtomicU64,
    /// Capture: callbacks whose samples did not all fit. Playback: how often the ring ran dry while playing.
    pub misses: AtomicU64,
    /// The driver says that the device is gone.
    pub lost: AtomicBool,
}

/// The callback's end of a microphone.
#[derive(Debug)]
pub struct CaptureState {
    ring: Producer<f32>,
    channels: usize,
    counters: Arc<Counters>,
}

/// The callback's end of a speaker.
#[derive(Debug)]
pub struct PlaybackState {
    ring: Consumer<f32>,
    channels: usize,
    /// Samples were played since the ring last ran dry.
    playing: bool,
    counters: Arc<Counters>,
}

/// Makes both ends of a microphone's ring for `capacity` samples per channel.
pub fn capture_ring(capacity: usize, channels: u16) -> (CaptureState, Consumer<f32>, Arc<Counters>) {
    let channels = usize::from(channels.max(1));
    let (ring, consumer) = RingBuffer::new(capacity * channels);
    let counters = Arc::new(Counters::default());
    (
        CaptureState {
            ring,
            channels,
            counters: Arc::clone(&counters),
        },
        consumer,
        counters,
    )
}

/// Makes both ends of a speaker's ring for `capacity` samples per channel.
pub fn playback_ring(capacity: usize, channels: u16) -> (PlaybackState, Producer<f32>, Arc<Counters>) {
    let channels = usize::from(channels.max(1));
    let (producer, ring) = RingBuffer::new(capacity * channels);
    let counters = Arc::new(Counters::default());
    (
        PlaybackState {
            ring,
            channels,
            playing: false,
            counters: Arc::clone(&counters),
        },
        producer,
        counters,
    )
}

/// Pushes what the microphone delivered. What does not fit is dropped in whole frames and counted as one miss.
pub fn capture<T: Copy>(state: &mut CaptureState, samples: &[T])
where
    f32: FromSample<T>,
{
    let free = state.ring.slots();
    let fitting = free.min(samples.len());
    let taken = fitting - fitting % state.channels;
    if let Ok(chunk) = state.ring.write_chunk_uninit(taken) {
        chunk.fill_from_iter(samples.iter().map(|sample| f32::from_sample_(*sample)));
    }
    if taken < samples.len() {
        state.counters.misses.fetch_add(1, Ordering::Relaxed);
    }
    state.counters.callbacks.fetch_add(1, Ordering::Relaxed);
}

/// Fills what the speaker asks for, with silence where the ring is short.
pub fn playback<T: Sample + FromSample<f32>>(state: &mut PlaybackState, out: &mut [T]) {
    let queued = state.ring.slots().min(out.len());
    let taken = queued - queued % state.channels;
    let mut rest = out.iter_mut();
    if let Ok(chunk) = state.ring.read_chunk(taken) {
        for (slot, sample) in rest.by_ref().take(taken).zip(chunk) {
            *slot = T::from_sample_(sample);
        }
    }
    for slot in rest {
        *slot = T::EQUILIBRIUM;
    }
    if taken < out.len() && state.playing {
        state.counters.misses.fetch_add(1, Ordering::Relaxed);
    }
    state.playing = taken == out.len() && taken > 0;
    state.counters.callbacks.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(ring: &mut Consumer<f32>) -> Vec<f32> {
        std::iter::from_fn(|| ring.pop().ok()).collect()
    }

    #[test]
    fn captured_samples_arrive_in_order_and_in_every_format() {
        let (mut state, mut ring, counters) = capture_ring(8, 2);
        capture(&mut state, &[0.5_f32, -0.5]);
        capture(&mut state, &[i16::MIN, 16_384]);
        capture(&mut state, &[32_768_u16, 49_152]);
        assert_eq!(drain(&mut ring), [0.5, -0.5, -1.0, 0.5, 0.0, 0.5]);
        assert_eq!(counters.callbacks.load(Ordering::Relaxed), 3);
        assert_eq!(counters.misses.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_overrun_drops_whole_frames_and_is_counted() {
        let (mut state, mut ring, counters) = capture_ring(3, 2);
        capture(&mut state, &[1.0_f32; 4]);
        capture(&mut state, &[0.5_f32; 4]);
        assert_eq!(drain(&mut ring), [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]);
        assert_eq!(counters.misses.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_short_ring_plays_silence_and_counts_once() {
        let (mut state, mut ring, counters) = playback_ring(8, 2);
        let mut out = [0.25_f32; 4];
        playback(&mut state, &mut out);
        assert_eq!(out, [0.0; 4]);
        assert_eq!(
            counters.misses.load(Ordering::Relaxed),
            0,
            "nothing was playing yet"
        );
        for sample in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] {
            ring.push(sample).unwrap();
        }
        playback(&mut state, &mut out);
        assert_eq!(out, [0.1, 0.2, 0.3, 0.4]);
        playback(&mut state, &mut out);
        assert_eq!(out, [0.5, 0.6, 0.0, 0.0]);
        playback(&mut state, &mut out);
        assert_eq!(
            counters.misses.load(Ordering::Relaxed),
            1,
            "one dry spell is one underrun"
        );
    }

    #[test]
    fn silence_is_the_middle_of_unsigned_formats() {
        let (mut state, mut ring, _) = playback_ring(8, 1);
        ring.push(1.0).unwrap();
        ring.push(-1.0).unwrap();
        let mut out = [7_u16; 3];
        playback(&mut state, &mut out);
        assert_eq!(out, [u16::MAX, 0, 32_768]);
    }
}
