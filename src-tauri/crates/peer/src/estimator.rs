//! How much the path carries: our own estimate behind the library's trait. Decisions are in the parts; here they meet
//! the library's reports.
//!
//! Delay says when the queue of the path grows ([`trend`], [`queue`]), loss is judged over seconds and by experiment
//! ([`loss`]), bursts find what a path carries more ([`probe`]), and [`aimd`] makes one rate of it.

mod ack_rate;
mod aimd;
mod control;
mod coverage;
#[cfg(test)]
mod emulation;
mod in_flight;
mod loss;
mod probe;
mod queue;
mod round_trip;
mod sample;
mod trend;

pub(crate) use aimd::VOICE_ALONE;
pub(crate) use control::Control;
pub(crate) use coverage::Coverage;
pub(crate) use probe::{Burst, PACKETS as PACKETS_OF_A_BURST};
pub(crate) use sample::Sample;

use crate::outlet::Outlet;
use ahoy_media::units::Bitrate;
use rtc::interceptor::{BandwidthEstimator, EstimatorStats, PacketReport};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Bytes on the wire that the library does not count: IPv4 and UDP (28) and the tag of SRTP (10).
pub(crate) const WIRE_OVERHEAD: usize = 38;

/// The estimate, shared with the pacer on the one driver task.
pub(crate) type SharedControl = Arc<Mutex<Control>>;

/// Publishes the target to the owner through the [`Outlet`].
pub(crate) struct PublishedEstimator {
    control: SharedControl,
    coverage: Arc<Coverage>,
    outlet: Arc<Outlet>,
}

impl PublishedEstimator {
    pub(crate) fn new(
        start: Bitrate,
        min: Bitrate,
        max: Bitrate,
        coverage: Arc<Coverage>,
        outlet: Arc<Outlet>,
    ) -> Self {
        let min = min.as_bps().max(1) as f64;
        let max = (max.as_bps() as f64).max(min);
        let start = (start.as_bps() as f64).clamp(min, max);
        Self {
            control: Arc::new(Mutex::new(Control::new(start, min, max))),
            coverage,
            outlet,
        }
    }

    pub(crate) fn control(&self) -> SharedControl {
        Arc::clone(&self.control)
    }
}

/// Nothing panics with the lock held, so what a poisoned one holds is whole.
pub(crate) fn lock(control: &SharedControl) -> MutexGuard<'_, Control> {
    control.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BandwidthEstimator for PublishedEstimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        let told = self.coverage.take();
        let samples: Vec<Sample> = reports
            .iter()
            .filter(|report| report.arrived || told.covers(report.twcc_sequence_number))
            .map(|report| Sample {
                departure: report.departure,
                arrival: report.arrival.filter(|_| report.arrived),
                bytes: report.size + WIRE_OVERHEAD,
            })
            .collect();
        if samples.is_empty() {
            return;
        }
        let mut control = lock(&self.control);
        control.handle_feedback(now, &samples);
        self.outlet
            .publish_target(Bitrate::from_bps(control.target() as u64));
        self.outlet.publish_loss(control.loss());
    }

    fn target_bitrate(&self) -> f64 {
        lock(&self.control).target()
    }

    fn stats(&self) -> EstimatorStats {
        let control = lock(&self.control);
        let mut stats = EstimatorStats::default();
        stats.packet_loss = Some(control.loss());
        stats.round_trip_time = Some(control.rtt());
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn;
    use std::time::Duration;

    /// 200 packets a second for `seconds`, reported in batches of ten; every `one_in`th is said not to have arrived, by
    /// feedback that speaks of it if `told`.
    fn drive(estimator: &mut PublishedEstimator, seconds: u64, one_in: u64, told: bool) -> f64 {
        let epoch = Instant::now();
        for batch in 0..seconds * 20 {
            let reports: Vec<PacketReport> = (batch * 10..batch * 10 + 10)
                .map(|id| {
                    let arrived = id % one_in != 1;
                    PacketReport {
                        ssrc: 1,
                        id,
                        rtp_sequence_number: id as u16,
                        is_twcc: true,
                        twcc_sequence_number: id as u16,
                        size: 587,
                        arrived,
                        departure: epoch + Duration::from_millis(id * 5),
                        arrival: arrived.then(|| Duration::from_millis(id * 5 + 20)),
                        ecn: Ecn::default(),
                    }
                })
                .collect();
            if told {
                estimator.coverage.note((batch * 10) as u16, 10);
            }
            estimator.on_reports(reports[9].departure + Duration::from_millis(40), &reports);
        }
        estimator.target_bitrate()
    }

    fn estimator() -> PublishedEstimator {
        let (outlet, _events) = Outlet::new(Bitrate::from_kbps(1000));
        let kbps = Bitrate::from_kbps;
        PublishedEstimator::new(
            kbps(1000),
            kbps(100),
            kbps(5000),
            Arc::default(),
            Arc::new(outlet),
        )
    }

    #[test]
    fn a_clean_path_lets_the_target_grow_and_the_owner_is_told() {
        let mut estimator = estimator();
        let target = drive(&mut estimator, 5, u64::MAX, true);
        assert!(target > 1_200_000.0, "{target}");
        assert_eq!(estimator.outlet.target().as_bps(), target as u64);
    }

    #[test]
    fn packets_of_which_lost_feedback_would_have_told_are_not_lost() {
        let (mut told, mut untold) = (estimator(), estimator());
        drive(&mut told, 1, 3, true);
        drive(&mut untold, 1, 3, false);
        assert!(lock(&told.control()).loss() > 0.25);
        assert_eq!(lock(&untold.control()).loss(), 0.0);
    }
}
