//! Two or three threads at what they share, in every order that the memory model allows.

use ahoy_loom::latest::Latest;
use ahoy_loom::realtime::{capture, capture_ring, playback, playback_ring};
use ahoy_loom::render_tap::render_tap;
use loom::sync::atomic::Ordering;
use loom::thread;
use std::time::Duration;

/// Never waited out: the model has no time.
const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn the_canceller_never_has_a_sample_with_an_older_delay() {
    loom::model(|| {
        let (mut tap, mut feed) = render_tap();
        let playing = thread::spawn(move || {
            for n in 1..=3_u8 {
                tap.push(&[f32::from(n)], Duration::from_micros(n.into()));
            }
        });
        let mut heard = 0_u64;
        let mut look = || {
            feed.drain(|samples| {
                for sample in samples {
                    heard += 1;
                    assert_eq!(*sample, heard as f32, "each once and in order");
                }
            });
            assert!(feed.queued() >= Duration::from_micros(heard));
        };
        look();
        look();
        playing.join().expect("it ends");
        look();
        assert_eq!((heard, feed.dropped()), (3, 0));
    });
}

#[test]
fn a_callback_and_its_reader_lose_nothing_that_is_not_counted() {
    loom::model(|| {
        // Two channels and room for two frames.
        let (mut state, mut ring, counters) = capture_ring(2, 2);
        let callback = thread::spawn(move || {
            capture(&mut state, &[1.0_f32, -1.0]);
            capture(&mut state, &[2.0_f32, -2.0, 3.0, -3.0]);
        });
        let mut heard: Vec<f32> = Vec::new();
        let mut look = || {
            let count = ring.slots();
            assert_eq!(count % 2, 0, "whole frames alone");
            heard.extend(ring.read_chunk(count).expect("so many are there"));
        };
        look();
        callback.join().expect("it ends");
        look();
        assert_eq!(counters.callbacks.load(Ordering::Relaxed), 2);
        let missed = counters.misses.load(Ordering::Relaxed);
        let all = [1.0, -1.0, 2.0, -2.0, 3.0, -3.0];
        match missed {
            0 => assert_eq!(heard, all),
            _ => assert_eq!((missed, &heard[..]), (1, &all[..4]), "the newest is dropped"),
        }
    });
}

#[test]
fn a_speaker_plays_each_sample_once_and_counts_when_it_runs_dry() {
    loom::model(|| {
        let (mut state, mut ring, counters) = playback_ring(2, 1);
        let write = |ring: &mut rtrb::Producer<f32>, sample: f32| {
            let chunk = ring.write_chunk_uninit(1).expect("there is room");
            chunk.fill_from_iter([sample]);
        };
        write(&mut ring, 1.0);
        let writer = thread::spawn(move || write(&mut ring, 2.0));
        let mut out = [0.0_f32; 1];
        let played = [(); 3].map(|()| {
            playback(&mut state, &mut out);
            out[0]
        });
        writer.join().expect("it ends");
        assert_eq!(played[0], 1.0);
        // The second is played once, or not yet; nothing else is heard.
        let second = played.iter().filter(|sample| **sample == 2.0).count();
        assert!(
            second <= 1 && played.iter().all(|s| [0.0, 1.0, 2.0].contains(s)),
            "{played:?}"
        );
        // Dry after the first, or after the second, or twice; but one dry spell is one miss.
        let spells = played
            .windows(2)
            .filter(|two| two[0] != 0.0 && two[1] == 0.0)
            .count();
        assert_eq!(counters.misses.load(Ordering::Relaxed), spells as u64);
    });
}

#[test]
fn whoever_waits_for_the_newest_value_gets_it_or_the_end() {
    loom::model(|| {
        let slot = Latest::new();
        let writer = slot.clone();
        let writing = thread::spawn(move || {
            writer.put(1);
            writer.put(2);
            writer.close();
        });
        let mut last = 0;
        while let Some((sequence, value)) = slot.wait_newer_than(last, LONG) {
            assert!(
                sequence > last && sequence == value,
                "{value} as number {sequence}"
            );
            last = sequence;
        }
        writing.join().expect("it ends");
        assert_eq!(last, 2, "the end comes after the last value");
    });
}

#[test]
fn each_value_is_taken_or_counted_as_overwritten() {
    loom::model(|| {
        let slot = Latest::new();
        let put = |value: u64| {
            let slot = slot.clone();
            thread::spawn(move || slot.put(value))
        };
        let writers = [put(1), put(2)];
        let taken = slot.take();
        let numbers = writers.map(|writer| writer.join().expect("it ends"));
        assert_eq!(numbers[0] + numbers[1], 3, "each has its own");
        let left = slot.take();
        let seen = u64::from(taken.is_some()) + u64::from(left.is_some());
        assert_eq!(seen + slot.overwritten(), 2, "{taken:?}, {left:?}");
    });
}
