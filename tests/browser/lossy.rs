//! What is expected of a call over a bad network, and its figures.

use crate::call::FRAME_RATE;
use crate::link::Link;
use ahoy_tests::{Event, Party, number, probes};
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Of the estimate, half a second apart; the first half is for finding it.
pub const SAMPLES: usize = 36;

/// Longest time, in seconds, for which a picture may stand still: one is the goal for a machine that does nothing else.
const FREEZE: f64 = 1.5;
/// Turns that other programs may have taken, each as long as the longest that was seen, before a late picture is shown:
/// sending it, passing it on, decoding it and showing it.
const TURNS: f64 = 4.0;

/// Part of the link's rate that the estimate of the page comes to. Between two Chromiums it swings around this on the same
/// link, as a twentieth lost is near what its own estimator takes for too much.
const REACHED: f64 = 0.8;
/// Part of it that either estimate keeps, also where other programs take the processor.
const KEPT: f64 = 0.4;

/// A machine that lets the page make fewer pictures a second than this, or datagrams wait for longer, says nothing of a call:
/// an estimator takes every wait for a queue.
const LEAST_RATE: f64 = 0.9 * FRAME_RATE;
const LATEST: Duration = Duration::from_millis(100);

/// Why the call cannot be judged.
pub fn too_busy(page: &Value, link: &Link) -> Option<String> {
    let rate = number(page, "cameraRate");
    let busy = rate < LEAST_RATE || link.latest() > LATEST;
    busy.then(|| {
        let late = link.latest().as_millis();
        format!(
            "the machine is too busy: {rate:.1} pictures/s were made, and datagrams waited up to {late} ms"
        )
    })
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// What the page takes the link for, in bit/s; 0 while it does not know.
pub fn estimate(page: &Value) -> f64 {
    page["pair"]["availableOutgoingBitrate"].as_f64().unwrap_or(0.0)
}

pub fn link_figures(link: &Link) -> String {
    let lost = link.counts().each_ref().map(|count| {
        let passed = count.passed.load(Ordering::Relaxed);
        let lost = count.lost.load(Ordering::Relaxed);
        100.0 * lost as f64 / (passed + lost).max(1) as f64
    });
    format!(
        "the link dropped {:.1} % of the page's packets and {:.1} % of Ahoy's; the machine was late by {} ms at most",
        lost[0],
        lost[1],
        link.latest().as_millis()
    )
}

pub fn page_figures(page: &Value, estimates: &[f64]) -> String {
    format!(
        "Chromium: estimate {:.2} Mbit/s, {:.2} in the second half; repaired {} of {} packets, was repaired {}; showed {}, \
         longest gap {:.0} ms",
        mean(estimates) / 1e6,
        mean(&estimates[SAMPLES / 2..]) / 1e6,
        page["videoOut"]["retransmittedPacketsSent"],
        page["videoOut"]["packetsSent"],
        page["videoIn"]["retransmittedPacketsReceived"],
        page["screen"]["frames"],
        number(&page["screen"], "longestGapMs"),
    )
}

pub fn ahoy_figures(ahoy: &Event) -> String {
    let video_in = &ahoy["video_in"];
    format!(
        "Ahoy: estimate {:.2} Mbit/s at the end; repaired {} packets, was repaired {}; showed {}, froze {} times for {:.1} s",
        number(&ahoy["transport"], "availableOutgoingBitrate") / 1e6,
        ahoy["video_out"]["retransmittedPacketsSent"],
        video_in["retransmittedPacketsReceived"],
        video_in["framesDecoded"],
        video_in["freezeCount"],
        number(video_in, "totalFreezesDuration"),
    )
}

/// What was lost came again, both ways, and not much more than that.
pub fn assert_repaired(page: &Value, ahoy: &Event) {
    for (stats, field) in [
        (&page["videoIn"], "retransmittedPacketsReceived"),
        (&page["videoOut"], "retransmittedPacketsSent"),
        (&ahoy["video_in"], "retransmittedPacketsReceived"),
        (&ahoy["video_out"], "retransmittedPacketsSent"),
    ] {
        assert!(number(stats, field) > 0.0, "{field} of {stats:#}");
    }
    // A twentieth is lost, and again a twentieth of the repairs; what a full queue drops is asked for too.
    let sent = &page["videoOut"];
    let share = number(sent, "retransmittedBytesSent") / number(sent, "bytesSent");
    assert!(share < 0.2, "{share:.2} of what the page sends is repairs");
}

pub fn assert_no_long_freeze(page: &Value, ahoy: &Party, link: &Link) {
    let longest = FREEZE + TURNS * link.latest().as_secs_f64();
    let gap = number(&page["screen"], "longestGapMs") / 1000.0;
    assert!(gap <= longest, "the page showed nothing new for {gap} s");
    let mut before = 0.0;
    for probe in probes(ahoy.seen(), "video") {
        let frozen = number(probe, "freeze_s");
        assert!(
            frozen - before <= longest,
            "frozen for {} s: {probe}",
            frozen - before
        );
        before = frozen;
    }
}

/// Both sides know about how much the link carries, `rate` bit/s.
pub fn assert_estimates(page: &[f64], ahoy: &Event, rate: f64) {
    let most = page.iter().copied().fold(0.0, f64::max);
    assert!(most >= REACHED * rate, "the page's estimate comes to {most}");
    let kept = mean(&page[SAMPLES / 2..]);
    assert!(kept >= KEPT * rate, "the page's estimate is {kept}");
    let ours = number(&ahoy["transport"], "availableOutgoingBitrate");
    assert!(ours >= KEPT * rate, "Ahoy's estimate is {ours}");
}
