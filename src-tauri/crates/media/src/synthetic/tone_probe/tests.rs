use super::*;
use crate::device::AudioSource;
use crate::synthetic::tone::ToneSource;

const STEP: Duration = Duration::from_millis(5);

/// Plays a tone into a probe for some seconds; `change` may alter or drop each 5 ms on the way.
fn listen(hz: u32, seconds: u32, mut change: impl FnMut(u32, &mut Vec<f32>)) -> AudioProbeReader {
    let start = Instant::now();
    let clock = WallClock::new(start, Duration::from_micros(1_700_000_000_345_678));
    let mut tone = ToneSource::new(hz, clock);
    let (mut probe, reader) = AudioProbe::new(clock);
    let mut samples = Vec::new();
    for tick in 0..seconds * 200 {
        samples.clear();
        tone.read(start + STEP * tick, &mut samples)
            .expect("a tone does not fail");
        change(tick, &mut samples);
        if !samples.is_empty() {
            probe
                .write(start + STEP * tick, &samples)
                .expect("a probe does not fail");
        }
    }
    reader
}

#[test]
fn an_untouched_tone_is_pure_and_its_clicks_come_at_once() {
    for hz in [50, 440, 997, 2_000] {
        let report = listen(hz, 10, |_, _| {}).total();
        assert_eq!(report.frequency, Some(hz));
        assert!(report.tone_db.is_some_and(|db| db > 60.0), "{hz}: {report:?}");
        assert_eq!((report.gaps, report.clicks_lost), (0, 0), "{hz}: {report:?}");
        assert!((9..=10).contains(&report.clicks), "{report:?}");
        // A sample is read up to 5 ms after it was captured and played from then on.
        let latency = report.latency_ms.expect("clicks were heard");
        assert!(
            (latency.p50 - 5.0).abs() < 0.5 && latency.p95 - latency.p50 < 0.3,
            "{hz}: {latency:?}"
        );
        assert!(report.heard > Duration::from_millis(9_800), "{report:?}");
    }
}

#[test]
fn delay_is_measured_to_the_half_millisecond() {
    let mut delayed = VecDeque::from(vec![0.0; 48 * 137]);
    let report = listen(440, 6, |_, samples| {
        delayed.extend(samples.iter());
        let count = samples.len();
        samples.clear();
        samples.extend(delayed.drain(..count));
    })
    .total();
    let latency = report.latency_ms.expect("clicks were heard");
    assert!((latency.p50 - 142.0).abs() < 0.5, "{latency:?}");
}

#[test]
fn noise_is_measured_in_decibels() {
    let mut state = 1_u32;
    let report = listen(440, 5, |_, samples| {
        for sample in samples {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Uniform in ±0.0433: a power of 0.0433²/3, which is 17 dB below the 0.251²/2 of the tone.
            *sample += 0.0433 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0);
        }
    })
    .total();
    let db = report.tone_db.expect("a tone was heard");
    assert!((db - 17.0).abs() < 0.5, "{db}");
}

#[test]
fn a_hole_is_one_gap_with_its_length() {
    let reader = listen(440, 5, |tick, samples| {
        if (500..512).contains(&tick) || (700..702).contains(&tick) {
            samples.fill(0.0);
        }
        if tick == 900 {
            samples.fill(0.0);
        }
    });
    let report = reader.total();
    assert_eq!(report.gaps, 2, "60 and 10 ms count, 5 ms do not: {report:?}");
    assert!(
        report.gap_time.abs_diff(Duration::from_millis(70)) <= Duration::from_millis(10),
        "{report:?}"
    );
}

#[test]
fn a_queue_that_runs_dry_is_a_gap() {
    let report = listen(440, 5, |tick, samples| {
        if (500..520).contains(&tick) {
            samples.clear();
        }
    })
    .total();
    assert_eq!(report.gaps, 1, "{report:?}");
}

#[test]
fn a_missing_click_is_counted() {
    let report = listen(440, 8, |tick, samples| {
        // The fourth whole second falls 3.654 s after the start.
        if (725..740).contains(&tick) {
            samples.fill(0.0);
        }
    })
    .total();
    assert_eq!((report.clicks, report.clicks_lost), (7, 1), "{report:?}");
}

#[test]
fn intervals_begin_anew_and_the_total_goes_on() {
    let reader = listen(440, 4, |_, _| {});
    let first = reader.interval();
    assert_eq!(first.clicks, reader.total().clicks);
    let second = reader.interval();
    assert_eq!(
        (second.clicks, second.tone_db, second.latency_ms),
        (0, None, None)
    );
    assert_eq!(second.frequency, Some(440));
    assert!(reader.total().clicks >= 3);
}

#[test]
fn another_tone_is_followed_after_a_while() {
    let start = Instant::now();
    let clock = WallClock::new(start, Duration::from_secs(1_000));
    let mut other = ToneSource::new(700, clock);
    let mut samples_of_other = Vec::new();
    let reader = listen(440, 8, |tick, samples| {
        samples_of_other.clear();
        other
            .read(start + STEP * tick, &mut samples_of_other)
            .expect("a tone does not fail");
        if tick > 800 {
            samples.clone_from(&samples_of_other);
        }
    });
    assert_eq!(reader.total().frequency, Some(700));
}

#[test]
fn silence_is_no_tone() {
    let report = listen(440, 3, |_, samples| samples.fill(0.0)).total();
    assert_eq!(report, AudioProbeReport::default());
}
