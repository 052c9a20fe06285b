//! What the Echo contact does with sound: it asks for some, records it, and plays it back. Pure; samples are its clock.

use crate::audio::level::{Level, from_dbfs};
use crate::units::SampleRate;
use std::f32::consts::{PI, TAU};

pub(super) const RATE: SampleRate = SampleRate::HZ_48000;

/// Samples: 10 s are recorded at most; long enough for a few sentences, short enough to remember them.
const LONGEST: usize = 480_000;
/// Samples: 1.5 s without speech end a recording; pauses between sentences are shorter.
const PAUSE: usize = 72_000;
/// Samples: 300 ms before the first loud block and after the last one stay, so that no soft consonant is cut.
const MARGIN: usize = 14_400;
/// Samples: 10 s of silence, then Echo asks again; whoever hears nothing learns that the speaker works.
const PATIENCE: usize = 480_000;
/// Samples: 10 ms, over which loudness is judged.
const BLOCK: usize = 480;
/// dBFS: speech after gain control is far above, the noise that is left in a room below.
const SPEECH: f32 = -50.0;

/// Hz of the two notes with which Echo asks, one after the other.
const NOTES: [f32; 2] = [523.25, 659.25];
/// Samples a note lasts: 160 ms.
const NOTE: usize = 7_680;
/// dBFS, as loud as quiet speech.
const NOTE_LEVEL: f32 = -24.0;

/// The state of one echo.
#[derive(Debug)]
pub(super) struct Recorder {
    phase: Phase,
    /// What was heard; while listening, no more than the margin.
    heard: Vec<f32>,
}

/// Counts are samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Asking { said: usize },
    Listening { waited: usize },
    Recording { quiet: usize },
    Replaying { said: usize },
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Asking { said: 0 },
            // Whatever is heard later, nothing more is allocated.
            heard: Vec::with_capacity(LONGEST + BLOCK),
        }
    }

    /// Takes what the other side says. While Echo itself speaks, nothing: it would record its own voice from their room.
    pub(super) fn hear(&mut self, samples: &[f32]) {
        for block in samples.chunks(BLOCK) {
            let is_loud = Level::of(block).rms >= from_dbfs(SPEECH);
            match &mut self.phase {
                Phase::Asking { .. } | Phase::Replaying { .. } => return,
                Phase::Listening { .. } => {
                    self.heard.extend_from_slice(block);
                    if is_loud {
                        self.phase = Phase::Recording { quiet: 0 };
                    } else {
                        let excess = self.heard.len().saturating_sub(MARGIN);
                        self.heard.drain(..excess);
                    }
                }
                Phase::Recording { quiet } => {
                    self.heard.extend_from_slice(block);
                    *quiet = if is_loud { 0 } else { *quiet + block.len() };
                    let quiet = *quiet;
                    if quiet >= PAUSE || self.heard.len() >= LONGEST {
                        let silence = quiet.saturating_sub(MARGIN);
                        self.heard.truncate(self.heard.len() - silence);
                        self.phase = Phase::Replaying { said: 0 };
                    }
                }
            }
        }
    }

    /// Appends the next samples that Echo says.
    pub(super) fn say(&mut self, count: usize, out: &mut Vec<f32>) {
        let end = out.len() + count;
        while out.len() < end {
            let room = end - out.len();
            match &mut self.phase {
                Phase::Asking { said } => {
                    let now = room.min(NOTES.len() * NOTE - *said);
                    out.extend((*said..*said + now).map(note));
                    *said += now;
                    if *said == NOTES.len() * NOTE {
                        self.heard.clear();
                        self.phase = Phase::Listening { waited: 0 };
                    }
                }
                Phase::Listening { waited } => {
                    *waited += room;
                    out.resize(end, 0.0);
                    if *waited >= PATIENCE {
                        self.phase = Phase::Asking { said: 0 };
                    }
                }
                Phase::Recording { .. } => out.resize(end, 0.0),
                Phase::Replaying { said } => {
                    let now = room.min(self.heard.len() - *said);
                    out.extend_from_slice(&self.heard[*said..*said + now]);
                    *said += now;
                    if *said == self.heard.len() {
                        self.phase = Phase::Asking { said: 0 };
                    }
                }
            }
        }
    }
}

/// One sample of the question: each note rises and falls, so that none begins or ends with a click.
fn note(sample: usize) -> f32 {
    let within = (sample % NOTE) as f32;
    let hz = NOTES[(sample / NOTE).min(NOTES.len() - 1)];
    let shape = (PI * within / NOTE as f32).sin();
    from_dbfs(NOTE_LEVEL) * shape * (TAU * hz * within / 48_000.0).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: usize = 960;

    /// Lets both ends run in steps of 20 ms; what Echo says comes back.
    fn converse(echo: &mut Recorder, said: &[f32]) -> Vec<f32> {
        let mut heard = Vec::new();
        for step in said.chunks(STEP) {
            echo.hear(step);
            echo.say(step.len(), &mut heard);
        }
        heard
    }

    fn silence(seconds: f32) -> Vec<f32> {
        vec![0.0; (seconds * 48_000.0) as usize]
    }

    fn speech(seconds: f32) -> Vec<f32> {
        (0..(seconds * 48_000.0) as usize)
            .map(|n| 0.2 * (n as f32 * 0.01).sin() + 0.3)
            .collect()
    }

    /// An echo that has asked.
    fn listening() -> Recorder {
        let mut echo = Recorder::new();
        let question = converse(&mut echo, &silence(0.4));
        assert!(Level::of(&question[..2 * NOTE]).peak > 0.05, "it asks first");
        assert_eq!(Level::of(&question[2 * NOTE..]).peak, 0.0);
        echo
    }

    #[test]
    fn what_was_said_is_played_once_after_a_pause_and_then_echo_asks_again() {
        let mut echo = listening();
        let said = speech(3.0);
        let while_speaking = converse(&mut echo, &[silence(0.5), said.clone()].concat());
        assert_eq!(
            Level::of(&while_speaking).peak,
            0.0,
            "nothing disturbs the speaker"
        );
        let after = converse(&mut echo, &silence(8.0));
        let start = after
            .windows(said.len())
            .position(|window| window == said)
            .expect("every sample comes back");
        let pause_ends = PAUSE + MARGIN;
        assert!((PAUSE..=pause_ends + STEP).contains(&start), "{start}");
        let rest = &after[start + said.len()..];
        let question = rest
            .iter()
            .position(|sample| *sample != 0.0)
            .expect("it asks again");
        assert!((MARGIN - STEP..=MARGIN + STEP).contains(&question), "{question}");
        assert_eq!(Level::of(&rest[question + 2 * NOTE..]).peak, 0.0);
    }

    #[test]
    fn ten_seconds_are_recorded_of_whoever_does_not_stop() {
        let mut echo = listening();
        let said = speech(25.0);
        let heard = converse(&mut echo, &said);
        let replayed = heard.iter().filter(|sample| **sample != 0.0).count();
        let first = heard.iter().position(|sample| *sample != 0.0).expect("a replay");
        // What was heard before the first loud block is played, too.
        assert!((LONGEST - MARGIN..=LONGEST).contains(&first), "{first}");
        assert!(heard[first..].starts_with(&said[..LONGEST - MARGIN]));
        assert!(replayed <= LONGEST + BLOCK + 2 * NOTE, "once: {replayed}");
    }

    #[test]
    fn whoever_says_nothing_is_asked_every_ten_seconds() {
        let mut echo = listening();
        let quiet = vec![from_dbfs(-60.0); 48_000 * 25];
        let heard = converse(&mut echo, &quiet);
        let mut questions = 0;
        let mut was_silent = true;
        for block in heard.chunks(BLOCK) {
            let is_silent = Level::of(block).peak == 0.0;
            questions += usize::from(was_silent && !is_silent);
            was_silent = is_silent;
        }
        assert_eq!(questions, 2);
        assert!(echo.heard.len() <= MARGIN, "and nothing is kept");
    }

    #[test]
    fn nothing_is_allocated_after_the_start() {
        let mut echo = listening();
        let capacity = echo.heard.capacity();
        converse(&mut echo, &speech(30.0));
        assert_eq!(echo.heard.capacity(), capacity);
    }
}
