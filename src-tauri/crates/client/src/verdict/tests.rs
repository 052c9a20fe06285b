use super::*;

/// A judge that gets a sample a second, on a clock that the test moves.
struct Bench {
    judge: Judge,
    now: Instant,
}

fn clear() -> Sample {
    Sample {
        connected: true,
        loss_in: Some(0.0),
        loss_out: Some(0.0),
        rtt_ms: Some(40.0),
        jitter_in_ms: Some(5.0),
        remote_report_age: Some(Duration::from_millis(500)),
        media_in_age: Some(Duration::from_millis(20)),
        microphone_missing: false,
    }
}

fn lossy(loss: f64) -> Sample {
    Sample {
        loss_in: Some(loss),
        ..clear()
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            judge: Judge::new(),
            now: Instant::now(),
        }
    }

    /// A call that has been clear for ten seconds.
    fn clear() -> Self {
        let mut bench = Self::new();
        bench.feed(10, clear());
        assert_eq!(bench.cause(), Cause::Fine);
        bench
    }

    fn feed(&mut self, seconds: u32, sample: Sample) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.judge.handle_sample(self.now, sample);
        }
    }

    fn verdict(&self) -> Verdict {
        self.judge.poll_verdict(self.now)
    }

    fn cause(&self) -> Cause {
        self.verdict().cause
    }

    fn telltale(&self) -> [Part; 3] {
        let Telltale { you, line, them } = self.verdict().telltale;
        [you, line, them]
    }
}

/// The verdict that a steady stream of this sample leads to.
fn steady(sample: Sample) -> Verdict {
    let mut bench = Bench::clear();
    bench.feed(10, sample);
    bench.verdict()
}

#[test]
fn nothing_is_claimed_before_the_first_figures() {
    let mut bench = Bench::new();
    assert_eq!(
        (bench.verdict().level, bench.cause()),
        (Level::Unknown, Cause::Measuring)
    );
    assert_eq!(bench.telltale(), [Part::Unknown; 3]);
    bench.feed(5, Sample::default());
    assert_eq!(
        bench.cause(),
        Cause::Measuring,
        "a call that has not connected yet has not dropped"
    );
}

#[test]
fn clear_needs_both_directions() {
    assert_eq!(steady(clear()).level, Level::Good);
    for half in [
        Sample {
            loss_in: None,
            ..clear()
        },
        Sample {
            loss_out: None,
            ..clear()
        },
    ] {
        assert_eq!(steady(half).cause, Cause::Measuring);
    }
}

#[test]
fn figures_that_stop_become_unknown_within_three_seconds_and_never_poor() {
    let mut bench = Bench::clear();
    bench.feed(10, lossy(0.3));
    assert_eq!(bench.verdict().level, Level::Bad);
    bench.now += Duration::from_millis(2_900);
    assert_eq!(bench.verdict().level, Level::Bad);
    bench.now += Duration::from_millis(100);
    assert_eq!(
        (bench.verdict().level, bench.cause()),
        (Level::Unknown, Cause::Measuring)
    );
    assert_eq!(bench.telltale(), [Part::Unknown; 3]);
    bench.feed(1, clear());
    assert_eq!(
        bench.cause(),
        Cause::Fine,
        "the trouble before the gap is no trouble after it"
    );
}

#[test]
fn an_old_report_of_the_other_side_is_grey_and_not_green() {
    let old = Some(Duration::from_secs(4));
    let verdict = steady(Sample {
        remote_report_age: old,
        loss_out: Some(0.5),
        ..clear()
    });
    assert_eq!(
        (verdict.level, verdict.telltale.them),
        (Level::Unknown, Part::Unknown)
    );
    let verdict = steady(Sample {
        remote_report_age: old,
        ..lossy(0.15)
    });
    assert_eq!(
        (verdict.cause, verdict.telltale.them),
        (Cause::LineLoss, Part::Unknown)
    );
}

#[test]
fn weak_shows_after_two_seconds_and_clear_returns_after_five() {
    let mut bench = Bench::clear();
    bench.feed(2, lossy(0.12));
    assert_eq!(bench.cause(), Cause::Fine);
    bench.feed(1, lossy(0.12));
    assert_eq!(bench.cause(), Cause::LineLoss);
    bench.feed(5, clear());
    assert_eq!(bench.cause(), Cause::LineLoss);
    bench.feed(1, clear());
    assert_eq!(bench.cause(), Cause::Fine);
}

#[test]
fn a_single_bad_second_shows_nothing_however_often_it_comes() {
    let mut bench = Bench::clear();
    for _ in 0..10 {
        bench.feed(2, lossy(0.4));
        assert_eq!(bench.cause(), Cause::Fine);
        bench.feed(1, clear());
        assert_eq!(bench.cause(), Cause::Fine);
    }
}

#[test]
fn loss_accuses_the_line_whichever_direction_it_has() {
    for sample in [
        lossy(0.12),
        Sample {
            loss_out: Some(0.12),
            ..clear()
        },
    ] {
        let verdict = steady(sample);
        assert_eq!(
            (verdict.side, verdict.cause, verdict.level),
            (Side::Network, Cause::LineLoss, Level::Poor)
        );
        assert_eq!(
            (verdict.loss_percent, verdict.action),
            (Some(12.0), Some(Action::TryRelay))
        );
        assert_eq!(
            verdict.telltale,
            Telltale {
                you: Part::Ok,
                line: Part::Weak,
                them: Part::Ok
            }
        );
    }
}

#[test]
fn the_levels_of_loss_are_those_of_the_specification() {
    let table = [
        (0.029, Level::Good),
        (0.03, Level::Fair),
        (0.099, Level::Fair),
        (0.10, Level::Poor),
        (0.199, Level::Poor),
        (0.20, Level::Bad),
        (1.0, Level::Bad),
    ];
    for (loss, level) in table {
        assert_eq!(steady(lossy(loss)).level, level, "{loss}");
    }
}

#[test]
fn delay_and_unsteadiness_have_their_own_causes() {
    let slow = steady(Sample {
        rtt_ms: Some(600.0),
        ..clear()
    });
    assert_eq!(
        (slow.cause, slow.level, slow.side),
        (Cause::SlowLine, Level::Poor, Side::Network)
    );
    let unsteady = steady(Sample {
        jitter_in_ms: Some(60.0),
        ..clear()
    });
    assert_eq!(
        (unsteady.cause, unsteady.level),
        (Cause::UnsteadyLine, Level::Fair)
    );
    let both = steady(Sample {
        jitter_in_ms: Some(60.0),
        ..lossy(0.15)
    });
    assert_eq!(both.cause, Cause::LineLoss, "the worse one is told");
}

#[test]
fn a_lost_transport_shows_at_once_and_goes_at_once() {
    let mut bench = Bench::clear();
    bench.feed(
        1,
        Sample {
            connected: false,
            ..clear()
        },
    );
    let verdict = bench.verdict();
    assert_eq!(
        (verdict.level, verdict.cause, verdict.action),
        (Level::Bad, Cause::NoRoute, Some(Action::EndCall))
    );
    assert_eq!(bench.telltale(), [Part::Ok, Part::Bad, Part::Unknown]);
    bench.feed(1, clear());
    assert_eq!(bench.cause(), Cause::Fine);
}

#[test]
fn silence_with_living_reports_is_theirs_and_without_reports_nobodys() {
    let silent = Sample {
        media_in_age: Some(Duration::from_secs(4)),
        loss_in: None,
        ..clear()
    };
    let verdict = steady(silent);
    assert_eq!(
        (verdict.side, verdict.cause),
        (Side::Theirs, Cause::TheirMediaStopped)
    );
    assert_eq!(verdict.telltale.them, Part::Bad);
    let nothing = steady(Sample {
        remote_report_age: Some(Duration::from_secs(9)),
        ..silent
    });
    assert_eq!((nothing.side, nothing.cause), (Side::None, Cause::Measuring));
}

#[test]
fn a_missing_microphone_is_ours_unless_something_worse_happens() {
    let missing = |sample| {
        steady(Sample {
            microphone_missing: true,
            ..sample
        })
    };
    let verdict = missing(clear());
    assert_eq!(
        (verdict.side, verdict.cause, verdict.level),
        (Side::Ours, Cause::MicrophoneMissing, Level::Fair)
    );
    assert_eq!(verdict.telltale.you, Part::Weak);
    assert_eq!(missing(lossy(0.25)).cause, Cause::LineLoss);
}

#[test]
fn the_shown_loss_changes_at_most_every_two_seconds() {
    let mut bench = Bench::clear();
    bench.feed(3, lossy(0.12));
    let mut changes = 0;
    let mut shown = bench.verdict().loss_percent;
    for second in 0..20 {
        bench.feed(1, lossy(0.12 + 0.01 * f64::from(second % 5)));
        changes += u32::from(bench.verdict().loss_percent != shown);
        shown = bench.verdict().loss_percent;
    }
    assert!((5..=10).contains(&changes), "{changes} changes in 20 s");
}
