// The shapes that the shell sends and takes, generated from src-tauri/src/view_model.rs. Not edited by hand:
// AHOY_WRITE_BINDINGS=1 cargo test -p ahoy bindings

export type ViewModel = { server: ServerView, me: PersonView | null, 
/**
 * Contacts, and whoever else the server tells of.
 */
people: Array<PersonView>, 
/**
 * Other users of the server, while somebody is looked for.
 */
found: FoundView | null, call: CallView | null, ended: EndedView | null, 
/**
 * Newest first.
 */
recent: Array<RecentView>, notices: Array<NoticeView>, 
/**
 * Degrees that the camera's pictures are turned by, clockwise: 0, 90, 180 or 270.
 */
camera_rotation: number, 
/**
 * What is done to the voice of the microphone.
 */
voice: StoredVoice, sound: SoundView, 
/**
 * What the person is asked before anything connects.
 */
invitation: InvitationView | null, };

export type ServerView = { url: string, 
/**
 * The server is part of this window.
 */
embedded: boolean, state: ServerPhase, problem: ProblemView | null, 
/**
 * Whole seconds until the next attempt.
 */
retry_in_s: number | null, 
/**
 * The server can do the least: a call does not outlive a lost connection to it.
 */
basic_mode: boolean, 
/**
 * The server has rooms in place of users.
 */
rooms: boolean, 
/**
 * The link that invites others to the own room.
 */
invitation: string | null, };

export type ServerPhase = "signed_out" | "connecting" | "ready" | "offline";

export type ProblemView = { code: string, detail: string, };

export type PersonView = { 
/**
 * Text, because JavaScript's numbers are not ids.
 */
id: string, name: string, presence: PresenceView, 
/**
 * The built-in contact that sends back what it receives.
 */
echo: boolean, 
/**
 * On the user's own list.
 */
contact: boolean, };

export type FoundView = { keyword: string, people: Array<PersonView>, state: SearchView, };

export type SearchView = "searching" | "done" | "failed";

export type PresenceView = "ready" | "in_call" | "offline" | "unknown";

export type CallView = { call_id: string, peer: PersonView, outgoing: boolean, video: boolean, 
/**
 * Which way sound and pictures go by the purpose of the call.
 */
way: WayView, 
/**
 * What the call is for; `None` = to talk.
 */
stream: StreamView | null, lost_half: LostHalfView | null, state: CallPhase, 
/**
 * Unix milliseconds.
 */
began_at_ms: number, 
/**
 * Unix milliseconds.
 */
connected_at_ms: number | null, muted: boolean, camera_on: boolean, microphone: MicrophoneView, camera: CameraView, 
/**
 * The other side says that it is muted.
 */
remote_muted: boolean | null, 
/**
 * Pictures of the other side arrive.
 */
remote_video: boolean | null, hears: HearsView, sees: SeesView, telltale: TelltaleView, verdict: VerdictView, path: PathView, 
/**
 * Six groups of five digits that both people can compare.
 */
check_code: string | null, 
/**
 * The other side takes keys of a telephone.
 */
takes_digits: boolean, 
/**
 * Percent of the own voice that is lost on purpose, in the echo test.
 */
voice_loss: number, 
/**
 * 0..1, what the other side sends.
 */
level_in: number, 
/**
 * 0..1, what the microphone hears.
 */
level_out: number, };

export type WayView = "both" | "send" | "receive";

export type StreamView = { 
/**
 * It is sent by whoever called, and not played by them.
 */
push: boolean, vhost: string, app: string, name: string, 
/**
 * What is played while this is pushed, in a call both ways.
 */
played: PlayedView | null, };

export type PlayedView = { app: string, name: string, };

export type LostHalfView = { 
/**
 * It was the one that sends.
 */
push: boolean, 
/**
 * A word of `EndedView.cause`.
 */
cause: string, };

export type CallPhase = "calling" | "ringing_out" | "ringing_in" | "connecting" | "connected" | "reconnecting";

export type MicrophoneView = "ok" | "missing";

export type CameraView = "ok" | "test_picture" | "off";

export type HearsView = "yes" | "no" | "unknown";

export type SeesView = "yes" | "no" | "unknown" | "not_sending";

export type TelltaleView = { you: Part, line: Part, them: Part, };

export type Part = "ok" | "weak" | "bad" | "unknown";

export type VerdictView = { level: LevelView, side: SideView, cause: string, loss_percent: number | null, };

export type LevelView = "good" | "fair" | "poor" | "bad" | "unknown";

export type SideView = "ours" | "theirs" | "network" | "none";

export type PathView = "direct" | "relay" | "unknown";

export type EndedView = { peer: PersonView, video: boolean, outgoing: boolean, 
/**
 * What the call was for; `None` = to talk.
 */
stream: StreamView | null, 
/**
 * `None` = it was never answered.
 */
duration_s: number | null, cause: string, 
/**
 * Whole seconds until the server allows another call, if it refused this one for their number.
 */
retry_after_s: number | null, detail: string, };

export type RecentView = { peer: PersonView, outgoing: boolean, video: boolean, 
/**
 * What the call was for; `None` = to talk.
 */
stream: StreamView | null, cause: string, duration_s: number | null, 
/**
 * Unix milliseconds.
 */
at_ms: number, };

export type NoticeView = { 
/**
 * Counted from 1 by the client; far below 2^53.
 */
id: number, code: string, detail: string, };

export type StoredVoice = { echo_cancellation: boolean, noise_suppression: StoredSuppression, auto_gain_control: boolean, high_pass: boolean, };

export type SoundView = { 
/**
 * As they were when the settings were opened.
 */
microphones: Array<DeviceView>, speakers: Array<DeviceView>, 
/**
 * What is chosen, as a device spec.
 */
microphone: string, speaker: string, 
/**
 * `None` = on the speaker.
 */
ring: string | null, 
/**
 * Percent.
 */
ring_volume: number, 
/**
 * `None` = the microphone is closed.
 */
meter: MeterView | null, };

export type DeviceView = { spec: string, name: string, 
/**
 * What the system uses.
 */
is_default: boolean, };

export type MeterView = { 
/**
 * dBFS from -60 to 0; `None` before it runs.
 */
db: number | null, 
/**
 * The code of what keeps it from being heard.
 */
problem: string | null, };

export type SoundUse = "microphone" | "speaker" | "ring";

export type InvitationView = { server: string, host: string, room: string, 
/**
 * The way to the server is encrypted.
 */
encrypted: boolean, 
/**
 * What makes it none; all else is empty then.
 */
problem: ProblemView | null, };

export type StoredSuppression = "off" | "normal" | "strong";

export type VideoFeedAddress = { url: string, token: string, };
