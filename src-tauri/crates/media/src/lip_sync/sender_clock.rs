//! The time of one stream on the clock that all streams of its sender share, by its sender reports. Pure.

use crate::packet::SenderReport;
use crate::units::{NtpTime, RtpTime};

/// Seconds by which a report may contradict those before; a larger contradiction is an error of one report, or a clock that
/// was set, which the next report confirms.
const CONTRADICTION: f64 = 0.5;

/// Share of a contradiction that is believed at once. Some senders read their clock when a packet leaves and not when its
/// sound or picture was taken, so their reports are uneven; drift of 100 ppm is followed to within a millisecond.
const BELIEVED: f64 = 0.25;

/// What is known of one stream.
#[derive(Debug, Default)]
pub(super) struct SenderClock {
    /// `None` before the first report. Its `ntp_time` is smoothed.
    known: Option<Known>,
    /// A report that contradicts what is known.
    suspected: Option<SenderReport>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    line: SenderReport,
    /// As it was said by the newest report.
    newest: NtpTime,
}

impl SenderClock {
    /// Takes a report as it came: late, doubled, or of a stream that began anew.
    pub(super) fn handle_report(&mut self, report: SenderReport) {
        // A sender without a clock says nothing (RFC 3550 §6.4.1).
        if report.ntp_time == NtpTime::default() || report.clock_rate == 0 {
            return;
        }
        let same =
            |known: &Known| (known.line.ssrc, known.line.clock_rate) == (report.ssrc, report.clock_rate);
        let Some(known) = self.known.filter(same) else {
            self.begin(report);
            return;
        };
        let error = contradiction(&known.line, &report);
        if error.abs() <= CONTRADICTION {
            self.suspected = None;
            if report.ntp_time.since(known.newest) > 0.0 {
                let line = SenderReport {
                    ntp_time: report.ntp_time.plus(-error * (1.0 - BELIEVED)),
                    ..report
                };
                let newest = report.ntp_time;
                self.known = Some(Known { line, newest });
            }
            return;
        }
        let confirms = |before: &SenderReport| {
            before.ssrc == report.ssrc
                && before.clock_rate == report.clock_rate
                && report.ntp_time.since(before.ntp_time) > 0.0
                && contradiction(before, &report).abs() <= CONTRADICTION
        };
        if self.suspected.as_ref().is_some_and(confirms) {
            self.begin(report);
        } else {
            self.suspected = Some(report);
        }
    }

    /// A moment of the stream on the clock of its sender; `None` before a report about it.
    pub(super) fn ntp_time(&self, ssrc: u32, rtp_time: RtpTime) -> Option<NtpTime> {
        let known = self.known.filter(|known| known.line.ssrc == ssrc)?;
        Some(ntp_time(&known.line, rtp_time))
    }

    fn begin(&mut self, report: SenderReport) {
        let newest = report.ntp_time;
        self.known = Some(Known { line: report, newest });
        self.suspected = None;
    }
}

fn ntp_time(line: &SenderReport, rtp_time: RtpTime) -> NtpTime {
    let ticks = f64::from(rtp_time.since(line.rtp_time));
    line.ntp_time.plus(ticks / f64::from(line.clock_rate))
}

/// Seconds that a report is ahead of what another one says of its RTP time.
fn contradiction(line: &SenderReport, report: &SenderReport) -> f64 {
    report.ntp_time.since(ntp_time(line, report.rtp_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 90_000;
    const BEGAN: NtpTime = NtpTime::new(0xe800_0000_0000_0000);

    fn report(ntp: f64, rtp_time: u32) -> SenderReport {
        SenderReport {
            ssrc: 7,
            clock_rate: RATE,
            ntp_time: BEGAN.plus(ntp),
            rtp_time: RtpTime::new(rtp_time),
            in_sync: true,
        }
    }

    /// Seconds after [`BEGAN`].
    fn of(clock: &SenderClock, rtp_time: u32) -> f64 {
        let found = clock.ntp_time(7, RtpTime::new(rtp_time));
        found.expect("a report came").since(BEGAN)
    }

    #[test]
    fn a_moment_is_counted_from_the_report_over_the_wrap_of_both_times() {
        let mut clock = SenderClock::default();
        assert_eq!(clock.ntp_time(7, RtpTime::new(0)), None);
        let ntp_time = NtpTime::new(u64::MAX - (1 << 30));
        clock.handle_report(SenderReport {
            ntp_time,
            ..report(0.0, u32::MAX - 44_999)
        });
        let later = clock.ntp_time(7, RtpTime::new(45_000)).expect("known");
        assert!((later.since(ntp_time) - 1.0).abs() < 1e-6);
        assert_eq!(clock.ntp_time(8, RtpTime::new(0)), None, "another stream");
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut clock = SenderClock::default();
        // 200 ppm fast, a report a second.
        for second in 0..100 {
            let ntp = f64::from(second);
            clock.handle_report(report(ntp, (ntp * f64::from(RATE) * 1.0002) as u32));
        }
        let now = (99.0 * f64::from(RATE) * 1.0002) as u32;
        assert!((of(&clock, now) - 99.0).abs() < 0.001, "{}", of(&clock, now));
    }

    #[test]
    fn uneven_reports_are_smoothed() {
        let mut clock = SenderClock::default();
        let mut worst: f64 = 0.0;
        for second in 0..60 {
            let uneven = if second % 2 == 0 { 0.0 } else { 0.020 };
            clock.handle_report(report(f64::from(second) + uneven, second * RATE));
            if second > 20 {
                worst = worst.max((of(&clock, second * RATE) - f64::from(second) - 0.010).abs());
            }
        }
        assert!(worst < 0.004, "{worst}");
    }

    #[test]
    fn late_and_doubled_reports_change_nothing() {
        let mut clock = SenderClock::default();
        clock.handle_report(report(10.0, 10 * RATE));
        let known = of(&clock, 11 * RATE);
        clock.handle_report(report(9.1, 9 * RATE));
        clock.handle_report(report(10.0, 10 * RATE));
        assert_eq!(of(&clock, 11 * RATE), known);
    }

    #[test]
    fn one_wrong_report_is_not_believed_and_two_that_agree_are() {
        let mut clock = SenderClock::default();
        clock.handle_report(report(1.0, RATE));
        clock.handle_report(report(40.0, 2 * RATE));
        assert_eq!(of(&clock, 2 * RATE), 2.0);
        // Another wrong one does not confirm it.
        clock.handle_report(report(80.0, 3 * RATE));
        assert_eq!(of(&clock, 3 * RATE), 3.0);
        // The clock was set back: so says every report from here on.
        clock.handle_report(report(-99.0, 4 * RATE));
        clock.handle_report(report(-98.0, 5 * RATE));
        assert_eq!(of(&clock, 5 * RATE), -98.0);
    }

    #[test]
    fn another_stream_begins_anew_at_once() {
        let mut clock = SenderClock::default();
        clock.handle_report(report(1.0, RATE));
        clock.handle_report(SenderReport {
            ssrc: 8,
            ..report(2.0, 777)
        });
        assert_eq!(clock.ntp_time(7, RtpTime::new(RATE)), None);
        assert_eq!(clock.ntp_time(8, RtpTime::new(777)), Some(BEGAN.plus(2.0)));
    }

    #[test]
    fn a_sender_without_a_clock_says_nothing() {
        let mut clock = SenderClock::default();
        clock.handle_report(SenderReport {
            ntp_time: NtpTime::default(),
            ..report(0.0, 5)
        });
        clock.handle_report(SenderReport {
            clock_rate: 0,
            ..report(1.0, 5)
        });
        assert_eq!(clock.ntp_time(7, RtpTime::new(5)), None);
    }
}
