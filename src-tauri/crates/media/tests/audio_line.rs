//! The whole way of the sound under a virtual clock: what the probe hears after Opus and a network.

mod audio_support;

use ahoy_media::units::Bitrate;
use audio_support::{Line, Said, Seeded};
use std::time::Duration;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_clean_network_carries_a_pure_tone_and_every_click() {
    for (hz, kbps) in [(440, 32), (440, 24), (1_000, 64), (300, 16)] {
        let line = Line {
            said: Said::Tone { hz },
            bitrate: Bitrate::from_kbps(kbps),
            ..Line::default()
        };
        let (heard, stats) = line.run(&mut |_| Some(ms(10)));
        assert_eq!(heard.frequency, Some(hz));
        assert!(
            heard.tone_db.is_some_and(|db| db > 20.0),
            "{hz} Hz {kbps} kbit/s: {heard:?}"
        );
        assert_eq!((heard.gaps, heard.clicks_lost), (0, 0), "{heard:?}");
        assert!((19..=20).contains(&heard.clicks), "{heard:?}");
        let latency = heard.latency_ms.expect("clicks were heard");
        assert!(latency.p95 < 130.0, "{latency:?}");
        assert_eq!(
            (stats.buffer.packets_lost, stats.buffer.concealed_samples),
            (0, 0),
            "{stats:?}"
        );
    }
}

#[test]
fn latency_is_that_of_the_network_and_of_nothing_unknown() {
    let at = |delay| {
        Line::default()
            .run(&mut |_| Some(ms(delay)))
            .0
            .latency_ms
            .expect("clicks")
            .p50
    };
    let (near, far) = (at(0), at(150));
    assert!((far - near - 150.0).abs() < 6.0, "{near} {far}");
}

#[test]
fn lost_speech_is_mostly_recovered_from_the_packet_after_it() {
    let mut random = Seeded(5);
    let line = Line {
        said: Said::Speech,
        expected_loss: 0.05,
        ..Line::default()
    };
    let (_, stats) = line.run(&mut |_| (random.next() >= 0.05).then_some(ms(20)));
    let stats = stats.buffer;
    assert!(stats.packets_lost > 20, "{stats:?}");
    assert!(stats.fec_packets_received > 500, "{stats:?}");
    // Alone, each lost packet would be 960 concealed samples.
    assert!(
        stats.concealed_samples < stats.packets_lost * 960 / 2,
        "{stats:?}"
    );
}

#[test]
fn heavy_loss_leaves_little_to_make_up_at_forty_kilobits() {
    // Losses in bursts of three on average are the last.
    for (loss, stay, most_concealed) in [
        (0.1, 0.1, 0.01),
        (0.2, 0.2, 0.01),
        (0.3, 0.3, 0.03),
        (0.4, 0.4, 0.07),
        (0.2, 0.667, 0.07),
    ] {
        let mut random = Seeded(11);
        let line = Line {
            said: Said::Speech,
            bitrate: Bitrate::from_kbps(40),
            expected_loss: loss as f32,
            time: Duration::from_secs(40),
            ..Line::default()
        };
        let enter = loss * (1.0 - stay) / (1.0 - loss);
        let mut lost = false;
        let (_, stats) = line.run(&mut |_| {
            lost = random.next() < if lost { stay } else { enter };
            (!lost).then_some(ms(20))
        });
        let stats = stats.buffer;
        let share = stats.concealed_samples as f64 / stats.total_samples_received as f64;
        assert!(share <= most_concealed, "{loss} {stay}: {share:.4} {stats:?}");
        assert!(stats.packets_lost as f64 > 1_900.0 * loss * 0.8, "{stats:?}");
        assert!(stats.dred_frames > 30, "{stats:?}");
    }
}

#[test]
fn longer_frames_are_heard_as_well_and_no_later_than_they_must() {
    let heard = |milliseconds| {
        let line = Line {
            frame: ms(milliseconds),
            ..Line::default()
        };
        let (heard, stats) = line.run(&mut |_| Some(ms(10)));
        assert_eq!(heard.frequency, Some(440), "{milliseconds} ms");
        assert_eq!((heard.gaps, heard.clicks_lost), (0, 0), "{heard:?}");
        assert_eq!(stats.buffer.concealed_samples, 0, "{stats:?}");
        assert_eq!(stats.frame_time, ms(milliseconds));
        heard.latency_ms.expect("clicks were heard").p50
    };
    let (usual, long, longest) = (heard(20), heard(40), heard(60));
    println!("mouth to ear in frames of 20, 40 and 60 ms: {usual:.0}, {long:.0}, {longest:.0} ms");
    assert!((15.0..30.0).contains(&(long - usual)), "{usual} {long}");
    assert!((30.0..55.0).contains(&(longest - usual)), "{usual} {longest}");
}

#[test]
fn longer_frames_survive_loss() {
    for (milliseconds, loss, kbps) in [
        (40, 0.1, 24),
        (60, 0.1, 20),
        (60, 0.2, 20),
        (60, 0.3, 20),
        (60, 0.1, 40),
    ] {
        let mut random = Seeded(13);
        let line = Line {
            said: Said::Speech,
            bitrate: Bitrate::from_kbps(kbps),
            expected_loss: loss as f32,
            frame: ms(milliseconds),
            time: Duration::from_secs(60),
        };
        let (_, stats) = line.run(&mut |_| (random.next() >= loss).then_some(ms(20)));
        let stats = stats.buffer;
        let share = stats.concealed_samples as f64 / stats.total_samples_received as f64;
        let delay = stats.jitter_buffer_delay / stats.jitter_buffer_emitted_count as f64;
        println!(
            "{milliseconds} ms at {kbps} kbit/s, {loss} lost: {share:.3} made up, {delay:.3} s in the buffer"
        );
        assert!(stats.packets_lost > 60, "{stats:?}");
        assert!(
            share < loss / 2.0,
            "{milliseconds} ms, {loss}: {share:.4} {stats:?}"
        );
        assert!(delay < 0.25, "{delay}");
    }
}

#[test]
fn loss_without_protection_is_concealed_nearly_without_gaps() {
    let mut random = Seeded(6);
    let (heard, stats) = Line::default().run(&mut |_| (random.next() >= 0.03).then_some(ms(20)));
    assert!(
        stats.buffer.concealed_samples >= stats.buffer.packets_lost * 960,
        "{stats:?}"
    );
    assert!(stats.buffer.concealment_events > 10, "{stats:?}");
    assert!(heard.gap_time <= ms(20), "{heard:?}");
}

#[test]
fn a_jittery_network_is_smoothed_after_some_seconds() {
    let mut random = Seeded(7);
    // Long-tailed: most within 20 ms, few up to 100 ms.
    let line = Line {
        time: Duration::from_secs(40),
        ..Line::default()
    };
    let (heard, stats) = line.run(&mut |_| Some(ms(20 + (80.0 * random.next().powi(4)) as u64)));
    let share = stats.buffer.concealed_samples as f64 / stats.buffer.total_samples_received as f64;
    assert!(share < 0.01, "{share} {stats:?}");
    assert!(heard.gaps <= 1, "{heard:?}");
    assert!(
        stats.buffer.jitter > 0.002 && stats.buffer.jitter < 0.05,
        "{stats:?}"
    );
}

#[test]
fn an_outage_is_heard_as_a_gap_and_the_sound_comes_back() {
    // A second and a half is lost.
    let (heard, stats) = Line::default().run(&mut |n| (!(400..475).contains(&n)).then_some(ms(20)));
    // What is made up fades in the first half second, so where the gap begins is open.
    assert!(heard.gaps >= 1, "{heard:?}");
    assert!(
        heard.gap_time > ms(400) && heard.gap_time < ms(1_700),
        "{heard:?}"
    );
    assert_eq!(
        (stats.buffer.packets_lost, stats.buffer.concealed_samples),
        (75, 48_000)
    );
    assert!(
        (16_000..32_000).contains(&stats.silent_concealed_samples),
        "{stats:?}"
    );
    assert!((1..=2).contains(&heard.clicks_lost), "{heard:?}");
}

#[test]
fn made_up_silence_is_counted_as_silent() {
    let line = Line {
        said: Said::Nothing,
        ..Line::default()
    };
    let (_, stats) = line.run(&mut |n| (!(400..410).contains(&n)).then_some(ms(20)));
    assert_eq!(stats.buffer.concealed_samples, 9_600, "{stats:?}");
    assert_eq!(stats.silent_concealed_samples, 9_600, "{stats:?}");
}

#[test]
fn stalls_of_the_network_cost_no_click_and_their_delay_is_worked_off() {
    // Every 12 s, too seldom to be expected, all packets of 300 ms come at once.
    let stalled = |n: u32| match n % 597 {
        place @ 40..55 => ms(20 * u64::from(55 - place)),
        _ => ms(0),
    };
    let line = Line {
        time: Duration::from_secs(300),
        ..Line::default()
    };
    let (heard, stats) = line.run(&mut |n| Some(ms(20) + stalled(n)));
    assert!(stats.buffer.removed_samples_for_acceleration > 0, "{stats:?}");
    assert_eq!(
        (stats.buffer.packets_lost, heard.clicks_lost),
        (0, 0),
        "{heard:?} {stats:?}"
    );
    assert!(stats.buffer_delay < ms(250), "{stats:?}");
}
