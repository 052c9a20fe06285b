//! What the actor holds for the call that goes on.

use crate::attention::Attention;
use crate::ladder::{Conditions, Ladder, PictureStep, Plan, SoundRange};
use crate::measure::Meter;
use crate::media_session::{MediaSession, MediaStats, Outgoing};
use crate::peer_task::PeerWork;
use crate::quality::ShownWord;
use crate::recovery::Recovery;
use crate::ringer::Ringer;
use crate::settings::Limits;
use crate::snapshot::Receipt;
use crate::sound_repairs::SoundRepairs;
use crate::stats::{CallStats, Transport};
use crate::verdict::{Judge, Sample, Verdict};
use ahoy_call::{CallId, Constraints, Direction, MediaState, Toggle};
use ahoy_media::codec::opus::OpusWish;
use ahoy_media::lip_sync::LipSync;
use ahoy_media::units::{Bitrate, Resolution};
use ahoy_media::video::Rotation;
use ahoy_media::video::send::stats::QualityLimitationReason;
use ahoy_peer::{Peer, PeerStats};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;

/// How often the other side is told how the call goes (IM-Suite §4.5).
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// How often the levels of a live call are refreshed for a window.
const LEVEL_INTERVAL: Duration = Duration::from_millis(100);

/// How the smoothed loss follows each reading, one a second: 3 s.
const LOSS_FOLLOWS: f64 = 0.3;

/// Without a report of the other side for so long, nothing is known of what it gets.
const REPORT_STALE: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(crate) struct TheirWords {
    pub(crate) audio: ShownWord,
    pub(crate) video: ShownWord,
}

/// What has become of the devices.
pub(crate) enum Media {
    /// Not wanted yet, or already closed.
    None,
    /// Wanted as soon as there is a connection.
    Wanted {
        send_video: bool,
        video: bool,
    },
    /// A blocking thread is opening the devices.
    Opening,
    Running(Box<MediaSession>),
}

/// The own picture before the answer.
pub(crate) enum Preview {
    None,
    /// A blocking thread is opening the camera.
    Opening,
    Running(Box<Outgoing>),
    /// It could not be opened; media tries again and says why.
    Tried,
}

pub(crate) struct Live {
    pub(crate) call: CallId,
    pub(crate) began_at: SystemTime,
    pub(crate) connected_at: Option<SystemTime>,
    pub(crate) work: Option<mpsc::Sender<PeerWork>>,
    pub(crate) peer: Option<Arc<Peer>>,
    pub(crate) media: Media,
    pub(crate) preview: Preview,
    /// Where the sound and the pictures of this call meet, whenever each is opened.
    pub(crate) lip_sync: LipSync,
    pub(crate) ringer: Option<Ringer>,
    pub(crate) muted: bool,
    pub(crate) attention: Attention,
    pub(crate) microphone_recovery: Recovery,
    pub(crate) speaker_recovery: Recovery,
    pub(crate) camera_recovery: Recovery,
    /// Percent of the own voice packets that are lost on purpose.
    pub(crate) voice_loss: u8,
    /// The user wants the own camera.
    pub(crate) camera_on: bool,
    /// Which way sound and pictures go by the purpose of the call.
    pub(crate) way: Direction,
    /// Which way pictures go since the last change; `None` = as the call began.
    pub(crate) video: Option<Direction>,
    pub(crate) remote_media: MediaState,
    /// How the other side says that it gets the sound and the picture.
    pub(crate) their_words: TheirWords,
    /// What the other side wishes to receive.
    theirs: Constraints,
    /// What the sound may be, by what was negotiated.
    sound: SoundRange,
    ladder: Ladder,
    /// Fraction 0..1 of what is sent that is lost, smoothed.
    loss_out: f64,
    sound_repairs: SoundRepairs,
    step: Option<PictureStep>,
    /// The size that the processor allows, where it allows less than the step.
    encodable: Option<Resolution>,
    /// As it was last told.
    told_step: Option<PictureStep>,
    pub(crate) estimate: Bitrate,
    pub(crate) meter: Meter,
    /// What the judge is to look at.
    pub(crate) sample: Sample,
    pub(crate) judge: Judge,
    pub(crate) verdict: Verdict,
    pub(crate) peer_stats: PeerStats,
    /// The certificates stay for the life of the call, and so does this.
    pub(crate) check_code: Option<String>,
    pub(crate) stats: CallStats,
    pub(crate) connected: bool,
    next_stats: Option<Instant>,
    next_levels: Option<Instant>,
    next_report: Option<Instant>,
}

/// What is due for a live call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) stats: bool,
    pub(crate) report: bool,
}

impl Live {
    pub(crate) fn new(now: Instant, call: CallId, start_bitrate: Bitrate) -> Self {
        let judge = Judge::new();
        let verdict = judge.poll_verdict(now);
        Self {
            call,
            began_at: SystemTime::now(),
            connected_at: None,
            work: None,
            peer: None,
            media: Media::None,
            preview: Preview::None,
            lip_sync: LipSync::default(),
            ringer: None,
            muted: false,
            attention: Attention::default(),
            microphone_recovery: Recovery::default(),
            speaker_recovery: Recovery::default(),
            camera_recovery: Recovery::default(),
            voice_loss: 0,
            camera_on: false,
            way: Direction::SendRecv,
            video: None,
            remote_media: MediaState::default(),
            their_words: TheirWords::default(),
            theirs: no_wishes(),
            sound: SoundRange::USUAL,
            ladder: Ladder::default(),
            loss_out: 0.0,
            sound_repairs: SoundRepairs::default(),
            step: None,
            encodable: None,
            told_step: None,
            estimate: start_bitrate,
            meter: Meter::default(),
            sample: Sample::default(),
            judge,
            verdict,
            peer_stats: PeerStats::default(),
            check_code: None,
            stats: CallStats::default(),
            connected: false,
            next_stats: None,
            next_levels: None,
            next_report: None,
        }
    }

    /// Gives work to the connection's task; a full queue means that the connection hangs, which its timers end.
    pub(crate) fn order(&self, work: PeerWork) {
        let Some(queue) = &self.work else { return };
        if queue.try_send(work).is_err() {
            tracing::warn!(call = %self.call, "the connection does not keep up; work for it is dropped");
        }
    }

    pub(crate) fn take_preview(&mut self) -> Option<Box<Outgoing>> {
        match std::mem::replace(&mut self.preview, Preview::Tried) {
            Preview::Running(outgoing) => Some(outgoing),
            Preview::None | Preview::Opening | Preview::Tried => None,
        }
    }

    pub(crate) fn session(&mut self) -> Option<&mut MediaSession> {
        match &mut self.media {
            Media::Running(session) => Some(session),
            Media::None | Media::Wanted { .. } | Media::Opening => None,
        }
    }

    pub(crate) fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        if let Some(session) = self.session() {
            session.set_muted(muted);
        }
        self.report_soon();
    }

    /// Turns the own picture otherwise, which may run already before the call does.
    pub(crate) fn set_camera_rotation(&mut self, rotation: Rotation) {
        if let Preview::Running(outgoing) = &self.preview {
            outgoing.set_rotation(rotation);
        }
        if let Some(session) = self.session() {
            session.set_camera_rotation(rotation);
        }
    }

    pub(crate) fn set_voice_loss(&mut self, percent: u8) {
        self.voice_loss = percent.min(100);
        if let Some(peer) = &self.peer {
            peer.set_voice_loss(self.voice_loss);
        }
    }

    /// What this side sends changed: the other side is told at once (IM-Suite §4.5).
    pub(crate) fn report_soon(&mut self) {
        if self.connected {
            self.next_report = Some(Instant::now());
        }
    }

    pub(crate) fn silence(&mut self) {
        self.ringer = None;
    }

    pub(crate) fn set_connected(&mut self, now: Instant, stats_interval: Duration) {
        self.connected = true;
        self.connected_at.get_or_insert_with(SystemTime::now);
        self.next_stats.get_or_insert(now + stats_interval);
        self.next_report = Some(now);
    }

    pub(crate) fn take_constraints(&mut self, constraints: &Constraints) {
        if self.theirs != *constraints {
            self.theirs = constraints.clone();
        }
    }

    /// Encodes sound as was negotiated last.
    pub(crate) fn follow_negotiation(&mut self, wish: OpusWish) {
        let Some(sound) = self.peer.as_ref().and_then(|peer| peer.sound_out()) else {
            return;
        };
        self.sound = SoundRange::of(&sound, wish);
        if let Some(session) = self.session() {
            session.set_sound(sound);
        }
    }

    /// Sets both encoders to what the network and both sides allow.
    pub(crate) fn follow_ladder(&mut self, now: Instant, limits: &Limits) -> Plan {
        let conditions = Conditions {
            estimate: self.estimate,
            ours: limits,
            theirs: &self.theirs,
            loss: self.loss_out,
            sound: self.sound,
            sound_repairs: self.sound_repairs.fraction(),
        };
        let plan = self.ladder.handle_conditions(now, &conditions);
        self.step = Some(plan.step);
        if let Some(session) = self.session() {
            session.set_plan(plan);
        }
        plan
    }

    /// Takes in what the ladder goes by beside the estimate.
    pub(crate) fn note_conditions(
        &mut self,
        transport: &Transport,
        peer: &PeerStats,
        media: Option<&MediaStats>,
    ) {
        let reported = transport.loss_out.unwrap_or(0.0);
        self.sound_repairs.handle_counters(&peer.audio_out);
        let loss = self.sound_repairs.handle_loss(reported, &peer.transport);
        if let Some(session) = self.session() {
            session.set_expected_loss(loss);
        }
        self.loss_out += LOSS_FOLLOWS * (reported - self.loss_out);
        let sent = media.and_then(|media| media.video.as_ref()).map(|(_, sent)| sent);
        self.encodable = sent
            .filter(|sent| sent.quality_limitation_reason == QualityLimitationReason::Cpu)
            .map(|sent| Resolution::new(sent.frame_width, sent.frame_height));
    }

    /// Where the sent picture stands; `None` while the own camera is not sent at all.
    pub(crate) fn picture_step(&self) -> Option<PictureStep> {
        let sends = match &self.media {
            Media::Running(session) => self.connected && self.camera_on && session.has_video(),
            Media::None | Media::Wanted { .. } | Media::Opening => false,
        };
        let step = self.step.filter(|_| sends)?;
        Some(match self.encodable {
            Some(resolution) if step.frame_rate > 0 => PictureStep {
                resolution,
                limitation: QualityLimitationReason::Cpu,
                ..step
            },
            Some(_) | None => step,
        })
    }

    /// A step that was not told yet. A picture that pauses or comes back is reported to the other side at once.
    pub(crate) fn poll_picture_step(&mut self) -> Option<PictureStep> {
        let step = self.picture_step();
        let before = std::mem::replace(&mut self.told_step, step);
        let shown = |step: Option<PictureStep>| step.is_none_or(|step| step.frame_rate > 0);
        if shown(step) != shown(before) {
            self.report_soon();
        }
        step.filter(|_| step != before)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let regular = [self.next_stats, self.next_levels, self.next_report];
        let devices = [
            self.microphone_recovery.poll_timeout(),
            self.speaker_recovery.poll_timeout(),
            self.camera_recovery.poll_timeout(),
        ];
        regular.into_iter().chain(devices).flatten().min()
    }

    /// What is due, with the next times set.
    pub(crate) fn handle_timeout(&mut self, now: Instant, stats_interval: Duration) -> Due {
        let reached = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let due = Due {
            stats: reached(self.next_stats),
            report: reached(self.next_report),
        };
        if due.stats {
            self.next_stats = Some(now + stats_interval);
        }
        if due.report {
            self.next_report = Some(now + REPORT_INTERVAL);
        }
        self.next_levels = self.next_stats.map(|_| now + LEVEL_INTERVAL);
        due
    }

    /// What this side sends, for the report.
    pub(crate) fn media_state(&self) -> MediaState {
        let toggle = |on| Some(if on { Toggle::On } else { Toggle::Off });
        MediaState {
            audio: toggle(!self.muted),
            video: toggle(self.camera_on && self.picture_step().is_none_or(|step| step.frame_rate > 0)),
            screen: None,
        }
    }

    /// Whether the other side gets the sound, by its own receiver reports.
    pub(crate) fn hears(&self) -> Receipt {
        if self.muted {
            return Receipt::NotSending;
        }
        // Packets of silence arrive all the same.
        if self.attention.is_silent() {
            return Receipt::No;
        }
        receipt(self.connected, &self.peer_stats.audio_out)
    }

    /// Whether the other side gets the picture.
    pub(crate) fn sees(&self) -> Receipt {
        if !self.camera_on {
            return Receipt::NotSending;
        }
        receipt(self.connected, &self.peer_stats.video_out)
    }
}

/// Before the other side has said anything.
fn no_wishes() -> Constraints {
    Constraints {
        max_bandwidth: None,
        min_bandwidth: None,
        prefer_hd: None,
        fallback_to_audio: None,
        resolution: None,
        frame_rate: None,
        ..Constraints::default()
    }
}

fn receipt(connected: bool, out: &ahoy_peer::OutboundStats) -> Receipt {
    match &out.remote {
        _ if !connected => Receipt::Unknown,
        None => Receipt::Unknown,
        Some(report) if report.age > REPORT_STALE => Receipt::Unknown,
        // More than half of it lost is not understood.
        Some(report) if report.fraction_lost > 0.5 => Receipt::No,
        Some(_) => Receipt::Yes,
    }
}
