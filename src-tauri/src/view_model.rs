//! What the page shows: one whole value, made from the client's snapshot. Pure.
//!
//! These types are the contract with the page: `ui/src/generated/bindings.ts` is written from them, and a test fails
//! when it differs. Codes are stable words; the sentences for people are the page's.

mod from_snapshot;

pub use from_snapshot::{Account, view_model};

use crate::settings_file::StoredVoice;
use serde::Serialize;
use ts_rs::TS;

/// Everything there is to show.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ViewModel {
    pub server: ServerView,
    pub me: Option<PersonView>,
    /// Contacts, and whoever else the server tells of.
    pub people: Vec<PersonView>,
    /// Other users of the server, while somebody is looked for.
    pub found: Option<FoundView>,
    pub call: Option<CallView>,
    pub ended: Option<EndedView>,
    /// Newest first.
    pub recent: Vec<RecentView>,
    pub notices: Vec<NoticeView>,
    /// Degrees that the camera's pictures are turned by, clockwise: 0, 90, 180 or 270.
    pub camera_rotation: u32,
    /// What is done to the voice of the microphone.
    pub voice: StoredVoice,
    pub sound: SoundView,
    /// What the person is asked before anything connects.
    pub invitation: Option<InvitationView>,
}

/// An invitation to a room that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct InvitationView {
    pub server: String,
    pub host: String,
    pub room: String,
    /// The way to the server is encrypted.
    pub encrypted: bool,
    /// What makes it none; all else is empty then.
    pub problem: Option<ProblemView>,
}

/// The devices for sound, and how loud the microphone is while somebody looks at the settings.
#[derive(Debug, Clone, PartialEq, Serialize, TS, Default)]
pub struct SoundView {
    /// As they were when the settings were opened.
    pub microphones: Vec<DeviceView>,
    pub speakers: Vec<DeviceView>,
    /// What is chosen, as a device spec.
    pub microphone: String,
    pub speaker: String,
    /// `None` = on the speaker.
    pub ring: Option<String>,
    /// Percent.
    pub ring_volume: u8,
    /// `None` = the microphone is closed.
    pub meter: Option<MeterView>,
}

/// A device to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct DeviceView {
    pub spec: String,
    pub name: String,
    /// What the system uses.
    pub is_default: bool,
}

/// The microphone while no call runs.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct MeterView {
    /// dBFS from -60 to 0; `None` before it runs.
    pub db: Option<f32>,
    /// The code of what keeps it from being heard.
    pub problem: Option<String>,
}

/// The way to the server.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ServerView {
    pub url: String,
    /// The server is part of this window.
    pub embedded: bool,
    pub state: ServerPhase,
    pub problem: Option<ProblemView>,
    /// Whole seconds until the next attempt.
    pub retry_in_s: Option<u32>,
    /// The server can do the least: a call does not outlive a lost connection to it.
    pub basic_mode: bool,
    /// The server has rooms in place of users.
    pub rooms: bool,
    /// The link that invites others to the own room.
    pub invitation: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ServerPhase {
    SignedOut,
    Connecting,
    Ready,
    Offline,
}

/// A code with its small print; also what a command is refused with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ProblemView {
    pub code: String,
    pub detail: String,
}

/// A user of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PersonView {
    /// Text, because JavaScript's numbers are not ids.
    pub id: String,
    pub name: String,
    pub presence: PresenceView,
    /// The built-in contact that sends back what it receives.
    pub echo: bool,
    /// On the user's own list.
    pub contact: bool,
}

/// A search for users of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FoundView {
    pub keyword: String,
    pub people: Vec<PersonView>,
    pub state: SearchView,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SearchView {
    Searching,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PresenceView {
    Ready,
    InCall,
    Offline,
    Unknown,
}

/// The call that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct CallView {
    pub call_id: String,
    pub peer: PersonView,
    pub outgoing: bool,
    pub video: bool,
    /// Which way sound and pictures go by the purpose of the call.
    pub way: WayView,
    /// What the call is for; `None` = to talk.
    pub stream: Option<StreamView>,
    pub lost_half: Option<LostHalfView>,
    pub state: CallPhase,
    /// Unix milliseconds.
    pub began_at_ms: f64,
    /// Unix milliseconds.
    pub connected_at_ms: Option<f64>,
    pub muted: bool,
    pub camera_on: bool,
    pub microphone: MicrophoneView,
    pub camera: CameraView,
    /// The other side says that it is muted.
    pub remote_muted: Option<bool>,
    /// Pictures of the other side arrive.
    pub remote_video: Option<bool>,
    pub hears: HearsView,
    pub sees: SeesView,
    pub telltale: TelltaleView,
    pub verdict: VerdictView,
    pub path: PathView,
    /// Six groups of five digits that both people can compare.
    pub check_code: Option<String>,
    /// The other side takes keys of a telephone.
    pub takes_digits: bool,
    /// Percent of the own voice that is lost on purpose, in the echo test.
    pub voice_loss: u8,
    /// 0..1, what the other side sends.
    pub level_in: f32,
    /// 0..1, what the microphone hears.
    pub level_out: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum WayView {
    Both,
    Send,
    Receive,
}

/// A stream of a media server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct StreamView {
    /// It is sent by whoever called, and not played by them.
    pub push: bool,
    pub vhost: String,
    pub app: String,
    pub name: String,
    /// What is played while this is pushed, in a call both ways.
    pub played: Option<PlayedView>,
}

/// A stream beside another of the same virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PlayedView {
    pub app: String,
    pub name: String,
}

/// The half of a call both ways that is over while the other goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct LostHalfView {
    /// It was the one that sends.
    pub push: bool,
    /// A word of `EndedView.cause`.
    pub cause: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CallPhase {
    Calling,
    RingingOut,
    RingingIn,
    Connecting,
    Connected,
    Reconnecting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MicrophoneView {
    Ok,
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CameraView {
    Ok,
    TestPicture,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HearsView {
    Yes,
    No,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SeesView {
    Yes,
    No,
    Unknown,
    NotSending,
}

/// The three parts of the Telltale: you, the line, them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct TelltaleView {
    pub you: Part,
    pub line: Part,
    pub them: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Ok,
    Weak,
    Bad,
    Unknown,
}

/// How the call goes, whose side it is, and why.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct VerdictView {
    pub level: LevelView,
    pub side: SideView,
    pub cause: String,
    pub loss_percent: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LevelView {
    Good,
    Fair,
    Poor,
    Bad,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SideView {
    Ours,
    Theirs,
    Network,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PathView {
    Direct,
    Relay,
    Unknown,
}

/// How the last call ended.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct EndedView {
    pub peer: PersonView,
    pub video: bool,
    pub outgoing: bool,
    /// What the call was for; `None` = to talk.
    pub stream: Option<StreamView>,
    /// `None` = it was never answered.
    pub duration_s: Option<u32>,
    pub cause: String,
    /// Whole seconds until the server allows another call, if it refused this one for their number.
    pub retry_after_s: Option<u32>,
    pub detail: String,
}

/// An earlier call.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct RecentView {
    pub peer: PersonView,
    pub outgoing: bool,
    pub video: bool,
    /// What the call was for; `None` = to talk.
    pub stream: Option<StreamView>,
    pub cause: String,
    pub duration_s: Option<u32>,
    /// Unix milliseconds.
    pub at_ms: f64,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct NoticeView {
    /// Counted from 1 by the client; far below 2^53.
    #[ts(type = "number")]
    pub id: u64,
    pub code: String,
    pub detail: String,
}

/// Where the pictures come from, and the proof that this page may have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct VideoFeedAddress {
    pub url: String,
    pub token: String,
}

#[cfg(test)]
mod tests;
