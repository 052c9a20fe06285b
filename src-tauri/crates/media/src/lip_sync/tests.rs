//! A sender with clocks of its own, the two delays of its streams, and what comes of them, under a virtual clock.

use super::*;
use proptest::prelude::*;

const SOUND: u32 = 11;
const PICTURES: u32 = 22;
/// Milliseconds between looks at the speaker, and between pictures.
const TICK: u64 = 5;
const GAP: u64 = 35;

/// One call. Times are in seconds of the receiver's clock after its beginning.
struct Call {
    began: Instant,
    alignment: Alignment,
    /// Seconds of the sender's clock in one of ours.
    pace: f64,
    /// Ticks of the streams in one second of the sender's clock.
    rates: [f64; 2],
    first: [u32; 2],
    ntp: NtpTime,
    /// From the sender to the ear and to the decoder.
    sound_delay: f64,
    picture_delay: f64,
    reports: [bool; 2],
    in_sync: bool,
    plays: bool,
    elapsed: u64,
}

/// What became of one picture, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Shown {
    waited: f64,
    /// How much later its sound is heard.
    lip: f64,
}

impl Call {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            alignment: Alignment::default(),
            pace: 1.0,
            rates: [48_000.0, 90_000.0],
            first: [1_000, 2_000],
            ntp: NtpTime::new(0xe9aa_0000_1234_5678),
            sound_delay: 0.110,
            picture_delay: 0.030,
            reports: [true, true],
            in_sync: true,
            plays: true,
            elapsed: 0,
        }
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.elapsed)
    }

    fn seconds(&self) -> f64 {
        self.elapsed as f64 / 1000.0
    }

    fn rtp(&self, stream: usize, moment: f64) -> RtpTime {
        let ticks = (moment * self.pace * self.rates[stream]).round() as i64;
        RtpTime::new(self.first[stream].wrapping_add(ticks as u32))
    }

    fn report(&self, stream: usize, moment: f64) -> SenderReport {
        SenderReport {
            ssrc: [SOUND, PICTURES][stream],
            clock_rate: [48_000, 90_000][stream],
            ntp_time: self.ntp.plus(moment * self.pace),
            rtp_time: self.rtp(stream, moment),
            in_sync: self.in_sync,
        }
    }

    fn tell(&mut self, stream: usize, moment: f64) {
        let (now, report) = (self.now(), self.report(stream, moment));
        match stream {
            0 => self.alignment.handle_sound_report(now, report),
            _ => self.alignment.handle_picture_report(now, report),
        }
    }

    /// Goes on for so many milliseconds; a report a second of each stream that has any.
    fn go_on(&mut self, milliseconds: u64) -> Vec<Shown> {
        let end = self.elapsed + milliseconds;
        let mut shown = Vec::new();
        while self.elapsed < end {
            let (now, seconds) = (self.now(), self.seconds());
            for stream in 0..2 {
                if self.reports[stream] && self.elapsed % 1000 == 300 * stream as u64 {
                    self.tell(stream, seconds);
                }
            }
            if self.elapsed.is_multiple_of(TICK) {
                // 25 ms are queued at the speaker.
                let heard = HeardAt {
                    ssrc: SOUND,
                    rtp_time: self.rtp(0, seconds + 0.025 - self.sound_delay),
                    at: now + Duration::from_millis(25),
                };
                self.alignment.handle_heard(now, self.plays.then_some(heard));
            }
            if self.elapsed.is_multiple_of(GAP) {
                let taken = seconds - self.picture_delay;
                let rtp_time = self.rtp(1, taken);
                let at = self.alignment.show_at(now, PICTURES, rtp_time);
                let waited = (at - now).as_secs_f64();
                shown.push(Shown {
                    waited: waited * 1000.0,
                    lip: (taken + self.sound_delay - seconds - waited) * 1000.0,
                });
                self.alignment.handle_shown(at, PICTURES, rtp_time);
            }
            self.elapsed += TICK;
        }
        shown
    }
}

fn last(shown: &[Shown]) -> Shown {
    *shown.last().expect("pictures came")
}

#[test]
fn pictures_come_to_just_before_their_sound() {
    let mut call = Call::new();
    let shown = call.go_on(3_000);
    assert_eq!(shown[0].waited, 0.0, "before both reports nothing waits");
    assert!(
        shown
            .windows(2)
            .all(|pair| pair[1].waited - pair[0].waited <= 3.01)
    );
    let settled = last(&shown);
    assert!((settled.lip - 20.0).abs() < 0.5, "{settled:?}");
    assert!((settled.waited - 60.0).abs() < 0.5, "{settled:?}");
}

#[test]
fn the_playout_of_both_streams_is_told_on_the_senders_clock() {
    let mut call = Call::new();
    assert_eq!(call.alignment.sound_playout(call.now()), None);
    assert_eq!(call.alignment.picture_playout(call.now()), None);
    call.go_on(4_000);
    let (now, moment) = (call.now(), call.ntp.plus(call.seconds()));
    let sound = call.alignment.sound_playout(now).expect("known").since(moment);
    let picture = call.alignment.picture_playout(now).expect("known").since(moment);
    assert!((sound + 0.110).abs() < 0.001, "{sound}");
    assert!((picture + 0.090).abs() < 0.001, "{picture}");
}

#[test]
fn nothing_waits_without_a_report_of_either_stream() {
    for reports in [[false, true], [true, false], [false, false]] {
        let mut call = Call::new();
        call.reports = reports;
        assert!(call.go_on(5_000).iter().all(|shown| shown.waited == 0.0));
    }
}

#[test]
fn pictures_that_do_not_belong_to_the_sound_do_not_wait() {
    let mut call = Call::new();
    call.in_sync = false;
    assert!(call.go_on(5_000).iter().all(|shown| shown.waited == 0.0));
}

#[test]
fn pictures_that_wait_stop_to_when_the_sound_is_muted_or_ends_and_wait_again_with_it() {
    let mut call = Call::new();
    call.go_on(3_000);
    call.alignment.set_audible(false);
    let muted = call.go_on(2_000);
    assert!(
        muted
            .windows(2)
            .all(|pair| pair[0].waited - pair[1].waited <= 3.01)
    );
    assert_eq!(last(&muted).waited, 0.0);
    call.alignment.set_audible(true);
    assert!((last(&call.go_on(2_000)).lip - 20.0).abs() < 0.5);
    call.plays = false;
    assert_eq!(last(&call.go_on(2_000)).waited, 0.0);
    call.plays = true;
    assert!((last(&call.go_on(2_000)).lip - 20.0).abs() < 0.5);
}

#[test]
fn a_playout_that_ended_without_a_word_is_not_waited_for() {
    let mut call = Call::new();
    call.go_on(3_000);
    let later = call.now() + Duration::from_secs(1);
    assert_eq!(call.alignment.sound_playout(later), None);
    assert_eq!(call.alignment.wanted(later), None);
}

#[test]
fn a_longer_jitter_buffer_is_followed_by_steps() {
    let mut call = Call::new();
    call.go_on(3_000);
    call.sound_delay = 0.190;
    let shown = call.go_on(3_000);
    assert!(
        shown
            .windows(2)
            .all(|pair| pair[1].waited - pair[0].waited <= 3.01)
    );
    assert!((last(&shown).lip - 20.0).abs() < 0.5, "{:?}", last(&shown));
}

#[test]
fn clocks_that_drift_apart_for_an_hour_stay_together() {
    let mut call = Call::new();
    call.pace = 1.0 + 80e-6;
    call.rates = [48_000.0 * (1.0 + 150e-6), 90_000.0 * (1.0 - 150e-6)];
    call.go_on(5_000);
    let shown = call.go_on(3_600_000);
    let worst = shown
        .iter()
        .map(|shown| (shown.lip - 20.0).abs())
        .fold(0.0, f64::max);
    assert!(worst < 2.0, "{worst}");
}

#[test]
fn a_sender_whose_clock_is_set_is_followed_again_after_its_next_reports() {
    let mut call = Call::new();
    call.go_on(3_000);
    call.ntp = call.ntp.plus(7_200.0);
    let shown = call.go_on(6_000);
    assert!(shown.iter().all(|shown| shown.waited <= 250.0));
    assert!((last(&shown).lip - 20.0).abs() < 0.5, "{:?}", last(&shown));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever the times begin (over every wrap), however the reports come (late, doubled, out of order) and whatever the
    /// delays are, pictures come to just before their sound where that is possible, and never wait longer than they may.
    #[test]
    fn pictures_come_to_their_sound_over_wraps_and_with_disordered_reports(
        first in prop::array::uniform2(prop_oneof![any::<u32>(), u32::MAX - 200_000..=u32::MAX]),
        ntp in prop_oneof![1_u64.., (u64::MAX - (3_u64 << 32))..=u64::MAX],
        sound_delay in 0.02_f64..0.5,
        picture_delay in 0.01_f64..0.2,
        late in prop::collection::vec((0_usize..2, 0_u64..4_000, 0.0_f64..3.0), 0..12),
    ) {
        let mut call = Call::new();
        call.first = first;
        call.ntp = NtpTime::new(ntp);
        (call.sound_delay, call.picture_delay) = (sound_delay, picture_delay);
        let mut late = late;
        late.sort_by_key(|(_, at, _)| *at);
        let mut shown = Vec::new();
        for (stream, at, age) in late {
            shown.extend(call.go_on((at / TICK * TICK).saturating_sub(call.elapsed)));
            let moment = call.seconds() - age;
            call.tell(stream, moment);
        }
        shown.extend(call.go_on(9_000 - call.elapsed));
        prop_assert!(shown.iter().all(|shown| (0.0..=250.001).contains(&shown.waited)));
        let needed = (sound_delay - picture_delay) * 1000.0 - 20.0;
        let settled = last(&shown);
        prop_assert!((settled.waited - needed.clamp(0.0, 250.0)).abs() < 1.0, "{:?} for {}", settled, needed);
    }
}
