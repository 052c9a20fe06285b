//! The peer connections of both users: they connect when both have both descriptions and the network carries media,
//! notice a loss after a while, and give up for good after a longer while.

use crate::rng::Rng;
use ahoy_call::{CallId, PeerInput};
use std::time::{Duration, Instant};

/// How often the two ends look at each other.
pub const TICK: Duration = Duration::from_millis(500);

#[derive(Default)]
pub struct Transport {
    ends: [Option<End>; 2],
    pub network_down: bool,
    /// How often an address vanished; a path from before leads nowhere until ICE is restarted.
    moves: u32,
    /// The last move that a restart followed.
    found_after: u32,
}

struct End {
    call: CallId,
    described_at: Option<Instant>,
    phase: Phase,
    lost_at: Option<Instant>,
    /// From the loss to the verdict that it is final; `None` = it hopes for ever.
    patience: Option<Duration>,
    /// This connection never comes up, for example for want of a path.
    no_path: bool,
}

#[derive(PartialEq)]
enum Phase {
    New,
    Connected,
    Disconnected,
    Failed,
}

impl Transport {
    pub fn open(&mut self, side: usize, call: CallId, rng: &mut Rng) {
        if self.ends.iter().all(Option::is_none) {
            self.found_after = self.moves;
        }
        assert!(
            self.ends[side].is_none(),
            "a second peer connection is opened before the first is freed"
        );
        self.ends[side] = Some(End {
            call,
            described_at: None,
            phase: Phase::New,
            lost_at: None,
            patience: rng.chance(50).then(|| rng.ms(6_000, 40_000)),
            no_path: rng.chance(3),
        });
    }

    pub fn described(&mut self, side: usize, call: &CallId, now: Instant) {
        if let Some(end) = self.ends[side].as_mut().filter(|end| end.call == *call) {
            end.described_at = Some(now);
        }
    }

    pub fn close(&mut self, side: usize) {
        self.ends[side] = None;
    }

    pub fn in_use(&self) -> bool {
        self.ends.iter().any(Option::is_some)
    }

    /// An address vanished; told to the connection that had it, if it noticed.
    pub fn moved(&mut self) {
        self.moves += 1;
    }

    pub fn moves(&self) -> u32 {
        self.moves
    }

    /// One side applies a restart that was offered after `moves`: it gives up its path. Whether it had one.
    pub fn restarts(&mut self, side: usize, call: &CallId, moves: u32, done: bool) -> bool {
        if done {
            self.found_after = self.found_after.max(moves);
        }
        let Some(end) = self.ends[side].as_mut().filter(|end| end.call == *call) else {
            return false;
        };
        let had_one = end.phase == Phase::Connected;
        end.phase = Phase::New;
        end.lost_at = None;
        had_one
    }

    /// A path carries data between the two ends of one call.
    pub fn carries(&self) -> bool {
        self.has_path() && self.ends.iter().flatten().all(|end| end.phase != Phase::New)
    }

    fn has_path(&self) -> bool {
        match &self.ends {
            [Some(a), Some(b)] => {
                a.call == b.call
                    && a.described_at.is_some()
                    && b.described_at.is_some()
                    && !a.no_path
                    && !b.no_path
                    && !self.network_down
                    && self.found_after == self.moves
            }
            _ => false,
        }
    }

    /// What each side notices at this tick.
    pub fn tick(&mut self, now: Instant, rng: &mut Rng) -> Vec<(usize, CallId, PeerInput)> {
        let path = self.has_path();
        let mut noticed = Vec::new();
        for (side, end) in self.ends.iter_mut().enumerate() {
            let Some(end) = end else { continue };
            if let Some(input) = end.look(path, now, rng) {
                noticed.push((side, end.call.clone(), input));
            }
        }
        noticed
    }
}

impl End {
    fn look(&mut self, path: bool, now: Instant, rng: &mut Rng) -> Option<PeerInput> {
        match self.phase {
            Phase::New | Phase::Disconnected if path => {
                self.lost_at = None;
                if !rng.chance(70) {
                    return None;
                }
                self.phase = Phase::Connected;
                Some(PeerInput::Connected)
            }
            Phase::Connected if path => {
                self.lost_at = None;
                None
            }
            Phase::Connected => {
                let lost_at = *self.lost_at.get_or_insert(now);
                (now >= lost_at + Duration::from_secs(3)).then(|| {
                    self.phase = Phase::Disconnected;
                    PeerInput::Disconnected
                })
            }
            Phase::New | Phase::Disconnected => {
                let since = self.lost_at.or(self.described_at)?;
                (now >= since + self.patience?).then(|| {
                    self.phase = Phase::Failed;
                    PeerInput::Failed
                })
            }
            Phase::Failed => None,
        }
    }
}
