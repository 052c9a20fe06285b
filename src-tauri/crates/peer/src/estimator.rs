//! How much the path carries: the library's delay-based estimate under a loss rule of our own. Pure.
//!
//! The library's loss half judges each feedback message of about six packets by itself and falls to its minimum at an
//! even 5 % loss; here loss is judged over seconds of packets.

use crate::outlet::Outlet;
use ahoy_media::units::Bitrate;
use rtc::interceptor::{BandwidthEstimator, EstimatorStats, Gcc, PacketReport};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shortest time over which loss is judged; at 50 sound packets a second still 150 packets.
const LOSS_WINDOW: Duration = Duration::from_secs(3);
/// Loss above [`SEVERE_LOSS`] is judged this soon.
const SEVERE_WINDOW: Duration = Duration::from_secs(1);
/// No random loss of a link that is not full.
const SEVERE_LOSS: f64 = 0.20;
/// Up to this fraction the rate grows (draft-ietf-rmcat-gcc-02 §5.5).
const LOW_LOSS: f64 = 0.02;
/// Above this fraction the rate falls (draft-ietf-rmcat-gcc-02 §5.5).
const HIGH_LOSS: f64 = 0.10;
/// Growth of the loss-based limit per window; above the 8 % a second of the delay-based half so that it does not lead.
const GROWTH: f64 = 1.5;

/// Publishes the target to the owner through the [`Outlet`].
pub(crate) struct PublishedEstimator {
    gcc: Gcc,
    loss: LossLimit,
    min: f64,
    max: f64,
    target: f64,
    outlet: Arc<Outlet>,
}

impl PublishedEstimator {
    pub(crate) fn new(start: Bitrate, min: Bitrate, max: Bitrate, outlet: Arc<Outlet>) -> Self {
        let min = min.as_bps().max(1) as f64;
        let max = (max.as_bps() as f64).max(min);
        let start = (start.as_bps() as f64).clamp(min, max);
        Self {
            gcc: Gcc::new(start, min, max),
            loss: LossLimit::new(start),
            min,
            max,
            target: start,
            outlet,
        }
    }
}

impl BandwidthEstimator for PublishedEstimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        if reports.is_empty() {
            return;
        }
        self.gcc.on_reports(now, reports);
        let lost = reports.iter().filter(|report| !report.arrived).count();
        let delay_based = self.gcc.delay_based_bitrate();
        let limit = self
            .loss
            .handle_reports(now, lost, reports.len(), self.min, self.max);
        self.target = delay_based.min(limit).clamp(self.min, self.max);
        self.outlet.publish_target(Bitrate::from_bps(self.target as u64));
    }

    fn target_bitrate(&self) -> f64 {
        self.target
    }

    fn stats(&self) -> EstimatorStats {
        self.gcc.stats()
    }
}

/// Bits per second that the loss allows.
#[derive(Debug)]
struct LossLimit {
    limit: f64,
    since: Option<Instant>,
    lost: usize,
    reported: usize,
}

impl LossLimit {
    fn new(start: f64) -> Self {
        Self {
            limit: start,
            since: None,
            lost: 0,
            reported: 0,
        }
    }

    fn handle_reports(&mut self, now: Instant, lost: usize, reported: usize, min: f64, max: f64) -> f64 {
        self.lost += lost;
        self.reported += reported;
        let since = *self.since.get_or_insert(now);
        let judged = now.saturating_duration_since(since);
        let loss = self.lost as f64 / self.reported.max(1) as f64;
        if judged >= LOSS_WINDOW || (judged >= SEVERE_WINDOW && loss > SEVERE_LOSS) {
            if loss <= LOW_LOSS {
                self.limit *= GROWTH;
            } else if loss > HIGH_LOSS {
                self.limit *= 1.0 - 0.5 * loss;
            }
            self.limit = self.limit.clamp(min, max);
            (self.since, self.lost, self.reported) = (Some(now), 0, 0);
        }
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn;

    /// 200 packets a second for `seconds`, reported in batches of six; `lost` says which never arrived.
    fn drive(estimator: &mut dyn BandwidthEstimator, seconds: u64, mut lost: impl FnMut(u64) -> bool) {
        let epoch = Instant::now();
        let reports: Vec<PacketReport> = (0..seconds * 200)
            .map(|id| PacketReport {
                ssrc: 1,
                id,
                rtp_sequence_number: id as u16,
                is_twcc: true,
                twcc_sequence_number: id as u16,
                size: 1200,
                arrived: !lost(id),
                departure: epoch + Duration::from_millis(id * 5),
                arrival: None,
                ecn: Ecn::default(),
            })
            .map(|report| PacketReport {
                arrival: report.arrived.then(|| Duration::from_millis(report.id * 5 + 20)),
                ..report
            })
            .collect();
        for batch in reports.chunks(6) {
            let now = batch[batch.len() - 1].departure + Duration::from_millis(40);
            estimator.on_reports(now, batch);
        }
    }

    /// A seeded generator of even randomness (Marsaglia's xorshift).
    fn one_in(n: u64) -> impl FnMut(u64) -> bool {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.is_multiple_of(n)
        }
    }

    fn estimator() -> PublishedEstimator {
        let (outlet, _events) = Outlet::new(Bitrate::from_kbps(1000));
        let kbps = Bitrate::from_kbps;
        PublishedEstimator::new(kbps(1000), kbps(100), kbps(5000), Arc::new(outlet))
    }

    /// The library's loss half falls to its minimum at a loss that a wireless link may show all day.
    #[test]
    fn an_even_loss_below_8_percent_does_not_starve_the_call() {
        let mut ours = estimator();
        drive(&mut ours, 60, one_in(13));
        let mut theirs = Gcc::new(1_000_000.0, 100_000.0, 5_000_000.0);
        drive(&mut theirs, 60, one_in(13));
        assert!(ours.target_bitrate() >= 900_000.0, "{}", ours.target_bitrate());
        assert!(theirs.target_bitrate() < 400_000.0, "{}", theirs.target_bitrate());
    }

    #[test]
    fn a_loss_of_25_percent_lowers_the_target() {
        let mut estimator = estimator();
        drive(&mut estimator, 10, one_in(4));
        assert!(
            estimator.target_bitrate() < 500_000.0,
            "{}",
            estimator.target_bitrate()
        );
        assert!(estimator.target_bitrate() >= 100_000.0);
    }

    #[test]
    fn a_clean_path_lets_the_target_grow() {
        let mut estimator = estimator();
        drive(&mut estimator, 10, |_| false);
        assert!(
            estimator.target_bitrate() > 1_400_000.0,
            "{}",
            estimator.target_bitrate()
        );
        assert_eq!(
            estimator.outlet.target().as_bps(),
            estimator.target_bitrate() as u64
        );
    }
}
