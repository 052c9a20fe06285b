//! The estimate: what the path carries of what is sent here. Pure; joins the parts beside it.

use super::ack_rate::AckRate;
use super::aimd::{Aimd, FLOODED_RTT, NARROW, Signal, VOICE_ALONE};
use super::in_flight::InFlight;
use super::loss::{Loss, LossAdvice};
use super::probe::{Burst, Probe};
use super::queue::Queue;
use super::round_trip::RoundTrip;
use super::sample::Sample;
use super::trend::{Trend, Usage};
use std::time::{Duration, Instant};

/// What arrives is measured over this; in a queue that grows, over the shorter, which knows the new capacity sooner.
const ACKED_WINDOW: Duration = Duration::from_millis(500);
const ACKED_SHORT: Duration = Duration::from_millis(150);
const ACKED_SHORTEST: Duration = Duration::from_millis(80);
const SENT_WINDOW: Duration = Duration::from_secs(1);
/// Below this part of the target the application sends less than it may (libwebrtc: 65 %).
const APPLICATION_LIMITED: f64 = 0.65;
/// Above this part of it the application cannot send less.
const OVERRUN: f64 = 1.5;
/// No queue is so long.
const CLOCK_JUMP: Duration = Duration::from_secs(10);
/// A burst needs a queue below this.
const CALM_QUEUE: Duration = Duration::from_millis(15);
/// Half of a packet. Chosen with the emulated links.
const GRAIN_BITS: f64 = 600.0;
/// A queue that was full before the first packet of the call is not seen by its growth. But so much loss and a long round trip
/// at once are a full queue, where no more than a voice is sent. Chosen with the emulated links.
const FLOODED_LOSS: f64 = 0.10;
/// A queue above this did not come from the lumps of pictures: the path carries less than before.
const FULL_QUEUE: Duration = Duration::from_millis(60);

#[derive(Debug)]
pub(crate) struct Control {
    trend: Trend,
    queue: Queue,
    rate: AckRate,
    loss: Loss,
    probe: Probe,
    aimd: Aimd,
    max: f64,
    round_trip: RoundTrip,
    in_flight: InFlight,
    calm: bool,
    /// Departure and arrival.
    newest: Option<(Instant, Duration)>,
}

impl Control {
    /// All rates in bits per second on the wire.
    pub(crate) fn new(start: f64, min: f64, max: f64) -> Self {
        Self {
            trend: Trend::new(),
            queue: Queue::default(),
            rate: AckRate::default(),
            loss: Loss::new(),
            probe: Probe::new(),
            aimd: Aimd::new(start, min, max),
            max,
            round_trip: RoundTrip::default(),
            in_flight: InFlight::default(),
            calm: false,
            newest: None,
        }
    }

    pub(crate) fn target(&self) -> f64 {
        self.aimd.target()
    }

    /// Fraction of packets lost in the last second.
    pub(crate) fn loss(&self) -> f64 {
        self.loss.fraction()
    }

    /// The same while no queue explains it, 0 while too little is known.
    pub(crate) fn own_loss(&self) -> f64 {
        self.loss.steady().unwrap_or(0.0)
    }

    /// With the time for which feedback waits.
    pub(crate) fn rtt(&self) -> Duration {
        self.round_trip.latest()
    }

    /// What a request and its answer take, neither of which waits.
    pub(crate) fn least_rtt(&self) -> Duration {
        self.round_trip.least()
    }

    /// Takes the packets that one feedback tells of, in the order of departure.
    pub(crate) fn handle_feedback(&mut self, now: Instant, samples: &[Sample]) {
        let Some(newest) = samples.iter().rev().find(|sample| sample.arrival.is_some()) else {
            return;
        };
        self.round_trip.handle_feedback(now, newest.departure);
        self.in_flight.handle_feedback(now, newest.departure);
        self.watch_clock(newest);
        let mut carried = None;
        for sample in samples {
            self.rate.handle_sample(sample);
            self.loss.handle_sample(sample);
            carried = self
                .probe
                .handle_sample(now, sample, self.aimd.target())
                .or(carried);
            if let Some(arrival) = sample.arrival {
                self.trend.handle_arrival(sample.departure, arrival);
                self.queue.handle_arrival(sample.departure, arrival);
            }
        }
        let queue = self.queue.delay().saturating_sub(self.grain());
        let sent = self.rate.sent(SENT_WINDOW);
        let signal = Signal {
            usage: self.trend.usage(),
            queue,
            rtt: self.rtt(),
            acked: self.acked(queue),
            sent: self.rate.sent(ACKED_WINDOW),
            application_limited: sent < APPLICATION_LIMITED * self.aimd.target()
                && !self.in_flight.was_full(newest.departure, SENT_WINDOW),
            on_trial: self.loss.is_on_trial(),
            flooded: sent < VOICE_ALONE
                && self.rtt() > FLOODED_RTT
                && self.loss.excess().is_some_and(|excess| excess > FLOODED_LOSS),
            overrun: self.rate.sent(ACKED_WINDOW) > OVERRUN * self.aimd.target(),
            loss: (self.loss.fraction() - self.loss.inherent()).max(0.0),
            departure: newest.departure,
        };
        if self.aimd.handle_signal(now, &signal) {
            self.loss.handle_congestion();
            self.probe.handle_cut(now);
        } else if let Some(carried) = carried
            && matches!(signal.usage, Usage::Normal | Usage::Under)
        {
            self.aimd.set_target(carried.max(self.aimd.target()));
        }
        self.heed_loss(now, queue);
        self.calm = signal.usage == Usage::Normal
            && queue < CALM_QUEUE
            && !self.aimd.is_draining()
            && !self.aimd.is_contended();
    }

    /// A packet left. Those of a burst are above the target on purpose, and not to be noted.
    pub(crate) fn handle_sent(&mut self, now: Instant, bytes: usize) {
        self.in_flight.handle_sent(now, bytes);
    }

    /// Whether so much is under way that pictures had better wait. Where others fill the queue, to wait would leave it to
    /// them.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        let (target, round_trip) = (self.aimd.target(), self.round_trip.least());
        !self.aimd.is_contended() && self.in_flight.is_full(now, target, round_trip)
    }

    /// A burst to send above the target.
    pub(crate) fn poll_burst(&mut self, now: Instant) -> Option<Burst> {
        self.probe
            .poll_burst(now, self.aimd.target(), self.max, self.calm)
    }

    /// The burst has left.
    pub(crate) fn handle_burst_sent(&mut self, begin: Instant, end: Instant) {
        self.probe.handle_sent(begin, end);
    }

    /// Begins anew when the receiver's clock jumped: it wraps, and machines sleep.
    fn watch_clock(&mut self, newest: &Sample) {
        let Some(arrival) = newest.arrival else { return };
        if let Some((left, arrived)) = self.newest.replace((newest.departure, arrival)) {
            let sent = newest.departure.saturating_duration_since(left).as_secs_f64();
            let came = arrival.as_secs_f64() - arrived.as_secs_f64();
            if (came - sent).abs() > CLOCK_JUMP.as_secs_f64() {
                self.trend.reset();
                self.queue = Queue::default();
                self.rate = AckRate::default();
            }
        }
    }

    /// What is a queue on no wide path: on a narrow one each packet of our own and of what goes beside it (checks, reports,
    /// signaling) takes its time.
    fn grain(&self) -> Duration {
        let target = self.aimd.target();
        if target > NARROW {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(GRAIN_BITS / target.max(1.0))
    }

    fn acked(&self, queue: Duration) -> Option<f64> {
        let long = self.rate.arrived(ACKED_WINDOW);
        let short = self.rate.arrived(ACKED_SHORT);
        match (long, short) {
            (Some(long), Some(short)) if queue > FULL_QUEUE => {
                let shortest = self.rate.arrived(ACKED_SHORTEST).unwrap_or(short);
                Some(long.min(short).min(shortest))
            }
            (Some(long), _) => Some(long),
            (None, short) => short,
        }
    }

    fn heed_loss(&mut self, now: Instant, queue: Duration) {
        // On a narrow path a single packet is a queue, and one that was full before the first packet of the call is seen by
        // what it loses alone.
        if queue > 2 * CALM_QUEUE && self.aimd.target() > NARROW {
            self.loss.handle_congestion();
            return;
        }
        let acked = self.rate.arrived(SENT_WINDOW);
        let sent = self.rate.sent(SENT_WINDOW);
        let advice = (self.loss).poll_advice(now, self.aimd.target(), sent, acked, self.rtt());
        match advice {
            Some(LossAdvice::Lower(rate)) => {
                self.aimd.set_target(rate);
                self.aimd.note_limit(acked.unwrap_or(rate));
                self.probe.handle_cut(now);
            }
            Some(LossAdvice::Restore(rate)) => self.aimd.set_target(rate.max(self.aimd.target())),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 Mbit/s for `seconds` from `since` on, reported every 50 ms; arrivals are `offset` later on the receiver's clock.
    fn drive(control: &mut Control, begin: Instant, since: u64, seconds: u64, offset: Duration) {
        for batch in 0..seconds * 20 {
            let samples: Vec<Sample> = (0..5)
                .map(|number| Duration::from_millis(since * 1000 + batch * 50 + number * 10))
                .map(|left| Sample {
                    departure: begin + left,
                    arrival: Some(left + offset),
                    bytes: 1250,
                })
                .collect();
            let now = samples[4].departure + Duration::from_millis(40);
            control.handle_feedback(now, &samples);
        }
    }

    #[test]
    fn a_clock_of_the_other_side_that_jumps_both_ways_changes_nothing_for_long() {
        let (mut control, begin) = (Control::new(1e6, 20e3, 5e6), Instant::now());
        let clocks = [7200, 3600, 90_000];
        for (round, clock) in clocks.into_iter().enumerate() {
            drive(
                &mut control,
                begin,
                round as u64 * 5,
                5,
                Duration::from_secs(clock),
            );
            assert!(control.target() >= 1e6, "{}", control.target());
        }
        assert!(control.rate.arrived(SENT_WINDOW).is_some());
        assert_eq!(control.rtt(), Duration::from_millis(40));
    }

    #[test]
    fn feedback_that_tells_of_nothing_or_of_loss_alone_is_no_news() {
        let mut control = Control::new(1e6, 20e3, 5e6);
        control.handle_feedback(Instant::now(), &[]);
        let lost = Sample {
            departure: Instant::now(),
            arrival: None,
            bytes: 1200,
        };
        control.handle_feedback(Instant::now(), &[lost; 50]);
        assert_eq!(control.target(), 1e6);
        assert_eq!(control.poll_burst(Instant::now()), None);
    }
}
