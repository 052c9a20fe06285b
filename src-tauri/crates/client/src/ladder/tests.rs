use super::*;

struct Call {
    ladder: Ladder,
    ours: Limits,
    theirs: Constraints,
    loss: f64,
    sound: SoundRange,
    now: Instant,
}

impl Call {
    fn new() -> Self {
        Self {
            ladder: Ladder::default(),
            ours: Limits::default(),
            theirs: Constraints {
                max_bandwidth: None,
                ..Constraints::default()
            },
            loss: 0.0,
            sound: SoundRange {
                longest: Duration::from_millis(120),
                ..SoundRange::USUAL
            },
            now: Instant::now(),
        }
    }

    /// So many seconds at an estimate, looked at ten times a second.
    fn at(&mut self, kbps: u64, seconds: u64) -> Plan {
        let mut plan = self.look(kbps);
        for _ in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            plan = self.look(kbps);
        }
        plan
    }

    fn look(&mut self, kbps: u64) -> Plan {
        let conditions = Conditions {
            estimate: Bitrate::from_kbps(kbps),
            ours: &self.ours,
            theirs: &self.theirs,
            loss: self.loss,
            sound: self.sound,
            sound_repairs: 0.0,
        };
        self.ladder.handle_conditions(self.now, &conditions)
    }
}

/// Everything that leaves, with the headers of the voice.
fn sum(plan: &Plan) -> u64 {
    let picture = if plan.step.frame_rate == 0 {
        0
    } else {
        plan.video.bitrate.as_bps()
    };
    plan.audio.as_bps() + headers(plan.frame).as_bps() + picture
}

#[test]
fn every_estimate_has_the_picture_that_is_promised_for_it() {
    for (kbps, name) in [
        (2500, "720p"),
        (1000, "540p"),
        (500, "360p"),
        (300, "270p"),
        (120, "180p"),
        (100, "180p"),
        (80, "stills"),
        (50, "off"),
        (24, "off"),
        (12, "off"),
    ] {
        let plan = Call::new().at(kbps, 5);
        assert_eq!(plan.step.name, name, "{kbps} kbit/s");
        assert!(
            plan.audio >= SoundRange::USUAL.least && plan.audio <= SoundRange::USUAL.most,
            "{kbps}: {plan:?}"
        );
        assert!(sum(&plan) <= kbps.max(11) * 1000, "{kbps}: {plan:?}");
    }
    let usable = Call::new().at(300, 5);
    assert!(
        usable.video.frame_rate >= 20 && usable.video.bitrate.as_kbps() >= 180,
        "{usable:?}"
    );
}

#[test]
fn voice_alone_gets_all_there_is() {
    let voice = |kbps| {
        let plan = Call::new().at(kbps, 1);
        (plan.frame.as_millis(), plan.audio.as_kbps())
    };
    assert_eq!([voice(62), voice(50), voice(30)], [(20, 35), (40, 36), (60, 21)]);
    assert_eq!([voice(25), voice(12)], [(60, 16), (120, 7)]);
    let mut call = Call::new();
    call.sound = SoundRange::USUAL;
    let plan = call.at(25, 1);
    assert_eq!(
        (plan.frame.as_millis(), plan.audio),
        (20, SoundRange::USUAL.least)
    );
}

#[test]
fn sound_that_takes_more_leaves_less_for_the_picture() {
    let mut call = Call::new();
    let usual = call.at(500, 1).video.bitrate.as_kbps();
    (call.sound.least, call.sound.most) = (Bitrate::from_kbps(64), Bitrate::from_kbps(64));
    let plan = call.at(500, 1);
    assert_eq!(plan.audio.as_kbps(), 64);
    assert_eq!(usual - plan.video.bitrate.as_kbps(), 22);
    assert_eq!(call.at(100, 1).audio.as_kbps(), 64);
}

#[test]
fn it_falls_at_once_and_climbs_back_by_itself() {
    let mut call = Call::new();
    assert_eq!(call.at(2500, 1).step.limitation, QualityLimitationReason::None);
    let fallen = call.look(300);
    assert_eq!(
        (fallen.step.name, fallen.step.limitation),
        ("270p", QualityLimitationReason::Bandwidth)
    );
    assert_eq!(call.at(2500, 2).step.name, "270p", "burnt");
    assert_eq!(call.at(2500, 1).step.name, "720p");
}

#[test]
fn a_path_found_by_the_first_bursts_is_used_within_half_a_second() {
    let mut call = Call::new();
    assert_eq!(call.look(1000).step.name, "540p");
    for _ in 0..4 {
        call.look(2500);
        call.now += Duration::from_millis(100);
    }
    assert_eq!(call.look(2500).step.name, "720p");
}

#[test]
fn a_wavering_estimate_changes_no_size() {
    let mut call = Call::new();
    call.at(600, 20);
    let changes = (0..600)
        .filter(|step| {
            let before = call.ladder.rung;
            call.now += Duration::from_millis(100);
            // A tenth up and down around the limit of 540p.
            call.look(if step / 7 % 2 == 0 { 770 } else { 680 });
            call.ladder.rung != before
        })
        .count();
    assert!(changes <= 1, "{changes}");
}

#[test]
fn a_rung_a_little_too_dear_is_left_after_half_a_second() {
    let mut call = Call::new();
    call.at(1000, 5);
    assert_eq!(call.look(500).step.name, "540p");
    assert_eq!(call.at(500, 1).step.name, "360p");
}

#[test]
fn stills_come_after_half_a_second_and_voice_alone_at_once() {
    let mut call = Call::new();
    assert_eq!(call.at(1000, 5).step.name, "540p");
    assert_eq!(call.look(72).step.name, "180p", "a queue is emptied");
    assert_eq!(call.at(300, 1).step.name, "180p");
    assert_eq!(call.at(72, 1).step.name, "stills");
    let mut call = Call::new();
    assert_eq!(call.at(1000, 5).step.name, "540p");
    assert_eq!(call.look(40).step.name, "off");
}

#[test]
fn repairs_have_their_part() {
    let mut call = Call::new();
    let clean = call.at(1500, 5).video.bitrate.as_bps();
    call.loss = 0.2;
    let lossy = call.at(1500, 5);
    assert!(lossy.video.bitrate.as_bps() < clean * 8 / 10, "{lossy:?}");
    assert!(
        lossy.video.resolution.height >= 360 && lossy.video.frame_rate >= 20,
        "{lossy:?}"
    );
}

#[test]
fn neither_sides_limits_are_exceeded() {
    let mut call = Call::new();
    call.theirs.max_bandwidth = Some(500_000);
    call.theirs.resolution = Some(ahoy_call::Resolution {
        width: 320,
        height: 240,
    });
    call.theirs.frame_rate = Some(12);
    let plan = call.at(5000, 5);
    assert!(sum(&plan) <= 500_000, "{plan:?}");
    let size = plan.video.resolution;
    assert!(
        size.width <= 320 && size.height <= 240 && plan.video.frame_rate <= 12,
        "{plan:?}"
    );
    let mut call = Call::new();
    call.ours.max_bandwidth = Bitrate::from_kbps(800);
    assert!(sum(&call.at(5000, 5)) <= 800_000);
}

#[test]
fn who_prefers_hd_keeps_the_size_and_gives_up_pictures() {
    let mut call = Call::new();
    call.theirs.prefer_hd = Some(true);
    let plan = call.at(850, 5);
    assert_eq!((plan.step.name, plan.video.frame_rate), ("720p", HD_FRAME_RATE));
    assert_eq!(Call::new().at(850, 5).step.name, "540p");
}

#[test]
fn who_falls_back_to_audio_gets_no_picture_on_a_poor_path() {
    let mut call = Call::new();
    call.theirs.fallback_to_audio = Some(true);
    call.theirs.min_bandwidth = Some(100_000);
    assert_eq!(call.at(180, 4).step.name, "180p");
    let plan = call.at(180, 2);
    assert_eq!((plan.step.name, plan.video.frame_rate), ("off", 0));
    assert_ne!(call.at(400, 6).step.name, "off");
}
