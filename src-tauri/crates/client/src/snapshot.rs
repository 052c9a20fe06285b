//! What a client shows and says, and what it is told.

use crate::ladder::PictureStep;
use crate::settings::RingChoice;
use crate::stats::CallStats;
use crate::two_way::LostHalf;
use crate::verdict::{Telltale, Verdict};
use ahoy_call::{CallEnd, CallId, CallState, Direction, LinkQuality, Party, StreamCall, UserId};
use ahoy_media::audio::voice::VoiceSettings;
use ahoy_media::device::DeviceKind;
use ahoy_media::spec::DeviceSpec;
use ahoy_media::video::Rotation;
use ahoy_peer::Digits;
use ahoy_signaling::zlm::own::Room;
use std::time::{Duration, Instant, SystemTime};

/// What a user wants.
#[derive(Debug, Clone)]
pub enum Command {
    PlaceCall {
        to: Party,
        video: bool,
        /// What a call to a room is for; `None` = to talk.
        stream: Option<Box<StreamCall>>,
    },
    /// Pushes one stream to a media server and plays another of it, as one call.
    PlaceTwoWay {
        to: Party,
        video: bool,
        push: Box<StreamCall>,
        play: Box<StreamCall>,
    },
    Accept {
        video: bool,
    },
    Decline,
    /// Declines with `user_busy`.
    Busy,
    HangUp,
    SetMuted(bool),
    /// In a call of sound alone this makes it a call with pictures (IM-Suite §9, upgrade).
    SetCamera(bool),
    /// Loses so many percent of the own voice packets on purpose until the end of the call (Echo test).
    SetVoiceLoss(u8),
    /// Turns the own camera's pictures otherwise, in this call and later ones.
    SetCameraRotation(Rotation),
    /// Cleans the voice otherwise, in this call and later ones.
    SetVoice(VoiceSettings),
    /// Presses keys of a telephone in the live call.
    SendDigits(Digits),
    /// Looks for a new path of the live call at once.
    RestartIce,
    /// Uses another microphone, speaker, camera or screen from now on.
    SetDevice(DeviceKind, DeviceSpec),
    /// Rings on another device, or with another volume, from the next call on.
    SetRing(RingChoice),
    /// Stops the ringing sound, not the call.
    Silence,
    /// Connects now instead of after the wait.
    RetryNow,
    DismissEnded,
    DismissNotice(u64),
    /// Looks for users of the server by name; an empty text ends the search.
    Search(String),
    AddContact(UserId),
    RemoveContact(UserId),
    /// Lets no call of somebody arrive, and tells them of no presence.
    Block(UserId),
    Unblock(UserId),
}

/// A command that was not accepted. It never means that a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    #[error("there is a call already")]
    AlreadyInCall,
    #[error("there is no such call")]
    NoCall,
    #[error("not possible in this state of the call")]
    WrongState,
    #[error("you cannot call yourself")]
    SelfCall,
    #[error("the other side takes no digits")]
    DigitsNotTaken,
    #[error("too many digits wait to be sent")]
    TooManyDigits,
    #[error("not signed in")]
    NotSignedIn,
    #[error("the client has stopped")]
    Stopped,
}

impl CommandRefused {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            CommandRefused::AlreadyInCall => "already_in_call",
            CommandRefused::NoCall => "no_call",
            CommandRefused::WrongState => "wrong_state",
            CommandRefused::SelfCall => "self_call",
            CommandRefused::DigitsNotTaken => "digits_not_taken",
            CommandRefused::TooManyDigits => "too_many_digits",
            CommandRefused::NotSignedIn => "not_signed_in",
            CommandRefused::Stopped => "stopped",
        }
    }
}

/// Everything there is to show.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub server: ServerState,
    pub me: Option<Party>,
    /// The user's contacts and whoever else the server tells of, in order of their ids.
    pub people: Vec<Person>,
    /// The other rooms, where the server tells (ZLMediaKit).
    pub rooms: Vec<Room>,
    /// The search that goes on or was done last.
    pub found: Option<Found>,
    pub call: Option<LiveCall>,
    /// The last call, until it is dismissed or another begins.
    pub ended: Option<EndedCall>,
    /// Of this program and of the server's history; newest first, at most [`Snapshot::RECENT`].
    pub recent: Vec<RecentCall>,
    pub notices: Vec<Notice>,
}

impl Snapshot {
    /// How many recent calls are remembered.
    pub const RECENT: usize = 50;
}

/// The way to the server.
#[derive(Debug, Clone)]
pub struct ServerState {
    pub url: String,
    pub phase: Phase,
    pub problem: Option<Problem>,
    /// When the next attempt is made.
    pub retry_at: Option<Instant>,
    /// The server shows no features (IM-Suite §13): a call does not outlive a lost connection to it.
    pub basic_mode: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not connected and not trying.
    SignedOut,
    Connecting,
    Ready,
    /// Waiting for the next attempt.
    Offline,
}

/// What keeps the client from its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable: `server_silent`, `server_restarting`, `server_fault`, `not_understood`, `rate_limited`, `token_wrong`,
    /// `token_expired`, `credentials_wrong`, `room_taken`, `room_secret_wrong`, `room_refused`, `second_factor`, `banned`, `certificate`, `insecure_server`, `replaced`,
    /// `not_a_server`, `internal`.
    pub code: &'static str,
    /// Small print for support.
    pub detail: String,
}

/// Another user of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: UserId,
    pub name: String,
    pub presence: Presence,
    /// On the user's list of contacts.
    pub contact: bool,
    /// Calls of this person do not arrive.
    pub blocked: bool,
}

/// What a search for users found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub keyword: String,
    pub people: Vec<Person>,
    pub state: SearchState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchState {
    /// The server has not answered yet; `people` are those of the search before.
    Searching,
    Done,
    /// The server did not answer, or cannot search.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Ready,
    InCall,
    Offline,
    Unknown,
}

/// The call that goes on.
#[derive(Debug, Clone)]
pub struct LiveCall {
    pub call: CallId,
    pub peer: Party,
    pub peer_name: Option<String>,
    pub outgoing: bool,
    pub video: bool,
    /// Which way sound and pictures go by the purpose of the call.
    pub way: Direction,
    /// What a call to a room is for; `None` = to talk.
    pub stream: Option<StreamCall>,
    /// What is played beside `stream`, in a two-way call with a media server.
    pub played: Option<StreamCall>,
    /// The half of a two-way call that has ended while the other goes on.
    pub lost: Option<LostHalf>,
    pub state: CallState,
    pub began_at: SystemTime,
    pub connected_at: Option<SystemTime>,
    pub muted: bool,
    pub microphone: MicrophoneState,
    pub camera: CameraState,
    /// How the own picture is sent and what keeps it from more; `None` while it is not.
    pub picture: Option<PictureStep>,
    /// The other side says that it is muted.
    pub remote_muted: Option<bool>,
    /// Pictures of the other side arrive.
    pub remote_video: Option<bool>,
    /// How well the other side gets the sound, in its own words; steady, as IM-Suite §4.5 shows them.
    pub their_audio: Option<LinkQuality>,
    /// The same of the picture.
    pub their_video: Option<LinkQuality>,
    pub hears: Receipt,
    pub sees: Receipt,
    pub telltale: Telltale,
    pub verdict: Verdict,
    pub path: PathKind,
    /// Six groups of five digits, the same on both sides unless somebody stands between them (IM-Suite §14); `None`
    /// before the connection.
    pub check_code: Option<String>,
    /// The other side takes keys of a telephone.
    pub takes_digits: bool,
    /// Percent of the own voice packets that are lost on purpose.
    pub voice_loss: u8,
    /// 0..1, what the other side sends.
    pub level_in: f32,
    /// 0..1, what the microphone hears.
    pub level_out: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MicrophoneState {
    Ok,
    /// None was found: silence is sent.
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraState {
    Off,
    On,
    /// None was found: the test picture is sent.
    TestPicture,
}

/// Whether the other side gets what is sent, as it reports itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    Yes,
    No,
    /// No report for three seconds.
    Unknown,
    NotSending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    Direct,
    Relay,
    Unknown,
}

/// How the last call ended.
#[derive(Debug, Clone)]
pub struct EndedCall {
    pub call: CallId,
    pub peer: Party,
    pub peer_name: Option<String>,
    pub outgoing: bool,
    pub video: bool,
    /// What a call to a room was for; `None` = to talk.
    pub stream: Option<StreamCall>,
    /// What was played beside `stream`, in a two-way call with a media server.
    pub played: Option<Box<StreamCall>>,
    pub end: CallEnd,
    /// When the server allows the next call, if it refused this one for their number.
    pub retry_after: Option<Duration>,
}

#[derive(Debug, Clone)]
pub struct RecentCall {
    pub ended: EndedCall,
    pub at: SystemTime,
    pub source: RecentSource,
}

/// Who knows of a recent call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecentSource {
    /// This program saw it.
    Here,
    /// The server's history has it, which does not say who hung up.
    Server,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub id: u64,
    /// Stable: `talking_muted`, `microphone_silent`, `no_microphone`, `no_camera`, `no_speaker`, `microphone_busy`, `device_lost`, `device_moved`, …, and of the server:
    /// `signaling_lost`, `stream_silent`, `stream_without_sound`, `push_pending`, `play_pending`, `push_ended`, `play_ended`, `call_unknown_to_server`, `basic_mode`, `contact_failed`.
    pub code: &'static str,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaMoment {
    FirstSent,
    FirstReceived,
    FirstRendered,
}

/// One thing that happened, in order.
#[derive(Debug, Clone)]
pub enum ClientEvent {
    SignedIn {
        me: Party,
    },
    /// Not signed in and no further attempt is made.
    SignInFailed {
        problem: Problem,
    },
    /// The way to the server is lost or back; calls go on.
    ServerLost {
        problem: Problem,
        retry_in: Option<Duration>,
    },
    Incoming {
        call: CallId,
        from: Party,
        video: bool,
    },
    State {
        call: CallId,
        state: CallState,
    },
    Media {
        video: bool,
        what: MediaMoment,
        at: Instant,
    },
    /// The other person pressed a key of a telephone.
    Digit(char),
    /// The picture that is sent became better or worse.
    Picture(PictureStep),
    Stats(Box<CallStats>),
    Verdict(Verdict),
    Notice(Notice),
    Ended(EndedCall),
}
