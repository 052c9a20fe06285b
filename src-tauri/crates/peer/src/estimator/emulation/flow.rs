//! The sender of one call: voice, a picture encoded at what the estimate leaves, the pacer, and the feedback on it.

use super::Random;
use super::link::{Packet, Passed, Path};
use crate::estimator::control::Control;
use crate::estimator::sample::Sample;
use crate::pacer::Pacer;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

const VOICE_BYTES: usize = 166;
const VOICE_EVERY: Duration = Duration::from_millis(20);
/// Bits per second of it, headers included.
const VOICE_RATE: f64 = 66_400.0;
const PICTURES: u32 = 30;
const PACKET: usize = 1240;
const FEEDBACK_EVERY: Duration = Duration::from_millis(50);
/// On a voice alone, as [`crate::feedback_interval`] has it.
const SPARSE_FEEDBACK: Duration = Duration::from_millis(250);
/// Bytes of a voice packet beside its payload.
const VOICE_HEADER: usize = 66;

pub(super) const MAX: f64 = 5e6;
const MIN: f64 = 10e3;

pub(super) struct Flow {
    pub(super) control: Control,
    pacer: Pacer,
    path: Path,
    random: Random,
    /// Below what the estimate allows, if the picture needs less: bits per second.
    pub(super) wanted: f64,
    pub(super) sends: bool,
    /// There is no picture, and the voice follows the estimate.
    pub(super) voice_alone: bool,
    /// So many of the first packets are not told of, as those that set the connection up.
    pub(super) untold: u64,
    pictures: VecDeque<usize>,
    next_voice: Instant,
    next_picture: Instant,
    number: u64,
    /// What was sent and is not reported yet.
    sent: BTreeMap<u64, (Instant, usize)>,
    /// Number, arrival, at the receiver.
    arrived: Vec<(u64, Instant)>,
    begin: Instant,
    next_feedback: Instant,
    feedback: VecDeque<(Instant, Vec<(u64, Instant)>)>,
    /// Arrival, bytes, time in the queue of everything that arrived.
    pub(super) log: Vec<(Duration, usize, Duration)>,
    pub(super) targets: Vec<(Duration, f64)>,
}

impl Flow {
    pub(super) fn new(begin: Instant, path: Path, seed: u64) -> Self {
        Self {
            control: Control::new(1e6, MIN, MAX),
            pacer: Pacer::default(),
            path,
            random: Random::new(seed),
            wanted: f64::MAX,
            sends: true,
            voice_alone: false,
            untold: 0,
            pictures: VecDeque::new(),
            next_voice: begin,
            next_picture: begin,
            number: 0,
            sent: BTreeMap::new(),
            arrived: Vec::new(),
            begin,
            next_feedback: begin + FEEDBACK_EVERY,
            feedback: VecDeque::new(),
            log: Vec::new(),
            targets: Vec::new(),
        }
    }

    pub(super) fn starting_at(mut self, start: f64) -> Self {
        self.control = Control::new(start, MIN, MAX);
        self
    }

    pub(super) fn step(&mut self, now: Instant, mut offer: impl FnMut(Packet)) {
        self.take_feedback(now);
        self.give_feedback(now);
        if !self.sends {
            (self.next_voice, self.next_picture) = (now, now);
            return;
        }
        let target = self.control.target();
        if now >= self.next_voice {
            let (every, bytes) = self.voice(target);
            self.next_voice += every;
            let packet = self.packet(now, bytes);
            offer(packet);
        }
        if self.voice_alone {
            return;
        }
        if now >= self.next_picture {
            self.next_picture += Duration::from_secs(1) / PICTURES;
            if self.pictures.is_empty() && !self.pacer.wants_padding() {
                self.pacer.handle_idle(now);
            }
            self.encode(now, target);
        }
        if let Some(burst) = self.control.poll_burst(now) {
            if self.pictures.is_empty() {
                self.pacer.handle_idle(now);
            }
            self.pacer.handle_burst(burst);
        }
        while now >= self.pacer.due(now) && !self.control.is_full(now) {
            let bytes = match self.pictures.pop_front() {
                Some(bytes) => bytes,
                None if self.pacer.wants_padding() => PACKET,
                None => break,
            };
            let packet = self.packet(now, bytes);
            offer(packet);
            let waiting = self.pictures.iter().sum();
            if let Some(sent) = self.pacer.handle_sent(now, bytes, waiting, target) {
                self.control.handle_burst_sent(sent.begin, sent.end);
            }
        }
    }

    /// Time between two packets of voice, and the bytes of one. Alone it is what the client's ladder makes of the estimate,
    /// without its patience; sizes wander as those of speech do.
    fn voice(&mut self, target: f64) -> (Duration, usize) {
        if !self.voice_alone {
            return (VOICE_EVERY, VOICE_BYTES);
        }
        let every = match target {
            ..20e3 => VOICE_EVERY * 6,
            ..30e3 => VOICE_EVERY * 3,
            ..44e3 => VOICE_EVERY * 2,
            _ => VOICE_EVERY,
        };
        let headers = VOICE_HEADER as f64 * 8.0 / every.as_secs_f64();
        let rate = (target - headers).clamp(6e3, 40e3);
        let wander = 0.7 + 0.6 * self.random.even();
        let payload = rate / 8.0 * every.as_secs_f64() * wander;
        (every, VOICE_HEADER + payload as usize)
    }

    /// A picture of about the right size; sizes wander by a third, as those of an encoder do.
    fn encode(&mut self, now: Instant, target: f64) {
        if Pacer::is_behind(self.pictures.iter().sum(), target) || self.control.is_full(now) {
            return;
        }
        let rate = ((target - VOICE_RATE) * 0.93).max(10e3).min(self.wanted);
        let wander = 0.7 + 0.6 * self.random.even();
        let mut bytes = (rate / 8.0 / f64::from(PICTURES) * wander) as usize;
        while bytes > 0 {
            let piece = bytes.min(PACKET);
            self.pictures.push_back(piece.max(80));
            bytes -= piece;
        }
    }

    fn packet(&mut self, now: Instant, bytes: usize) -> Packet {
        self.number += 1;
        if !self.pacer.wants_padding() {
            self.control.handle_sent(now, bytes);
        }
        if self.number > self.untold {
            self.sent.insert(self.number, (now, bytes));
        }
        Packet {
            number: self.number,
            bytes,
        }
    }

    pub(super) fn handle_passed(&mut self, passed: &Passed) {
        if passed.lost || passed.packet.number <= self.untold {
            return;
        }
        let late = self.path.jitter.mul_f64(self.random.even());
        let arrival = passed.at + self.path.delay + late;
        self.arrived.push((passed.packet.number, arrival));
        self.log
            .push((passed.at - self.begin, passed.packet.bytes, passed.queued));
    }

    fn give_feedback(&mut self, now: Instant) {
        if now < self.next_feedback {
            return;
        }
        self.next_feedback += if self.voice_alone {
            SPARSE_FEEDBACK
        } else {
            FEEDBACK_EVERY
        };
        let (come, coming): (Vec<_>, Vec<_>) = self.arrived.drain(..).partition(|(_, at)| *at <= now);
        self.arrived = coming;
        if !come.is_empty() && self.random.even() >= self.path.feedback_loss {
            let back = now + self.path.delay + self.path.feedback_delay;
            self.feedback.push_back((back, come));
        }
    }

    fn take_feedback(&mut self, now: Instant) {
        while let Some((at, come)) = self.feedback.front()
            && *at <= now
        {
            let numbers = come.iter().map(|(number, _)| *number);
            let (Some(lowest), Some(highest)) = (numbers.clone().min(), numbers.max()) else {
                return;
            };
            let arrivals: BTreeMap<u64, Instant> = come.iter().copied().collect();
            self.feedback.pop_front();
            let rest = self.sent.split_off(&(highest + 1));
            let told = std::mem::replace(&mut self.sent, rest);
            let begin = self.begin;
            let samples: Vec<Sample> = told
                .into_iter()
                // What a lost feedback would have told is never known.
                .filter(|(number, _)| *number >= lowest || self.path.feedback_loss == 0.0)
                .map(|(number, (departure, bytes))| Sample {
                    departure,
                    arrival: arrivals
                        .get(&number)
                        // The receiver's clock began at another time.
                        .map(|at| *at - begin + Duration::from_secs(1000)),
                    bytes,
                })
                .collect();
            self.control.handle_feedback(now, &samples);
            self.targets.push((now - self.begin, self.control.target()));
        }
    }
}
