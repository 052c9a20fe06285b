//! The command line, as the headless client's contract says it.

use crate::serve::args::ServeArgs;
use crate::user::UserArgs;
use ahoy_call::{Resolution, RoomId};
use ahoy_media::codec::opus::OpusMode;
use ahoy_media::codec::{PictureCodec, SoundCodec, UnknownPictureCodec};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::video::Rotation;
use ahoy_peer::{Credential, IceServer};
use ahoy_signaling::zlm::DEFAULT_VHOST;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Ahoy without a window: place and take calls, list devices, run the server.
#[derive(Debug, Parser)]
#[command(name = "ahoy-cli", version)]
pub struct Cli {
    /// Logs on stderr: error, warn, info, debug or trace, or a filter such as `ahoy_peer=debug`.
    #[arg(long, global = true, default_value = "warn")]
    pub log: String,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Places one call and stays until it has ended.
    Call(CallArgs),
    /// Signs in, waits for calls and answers as told.
    Listen(ListenArgs),
    /// Lists microphones, speakers and cameras.
    Devices,
    /// Runs the reference server until it is interrupted.
    Serve(ServeArgs),
    /// Adds, bans, lists … the users of a server's database.
    User(UserArgs),
    /// Measures the reference server.
    Bench(crate::bench::BenchArgs),
}

#[derive(Debug, Args)]
pub struct CallArgs {
    /// Whom to call: a user id, or a room.
    #[arg(long)]
    pub to: String,
    /// What to do in the room: talk, or play or push a stream of a media server, or push one and play another as one call.
    #[arg(long = "type", value_enum, default_value = "call")]
    pub purpose: PurposeArg,
    /// Where the stream is: the virtual host,
    #[arg(long, default_value = DEFAULT_VHOST)]
    pub vhost: String,
    /// the application,
    #[arg(long)]
    pub app: Option<String>,
    /// and the name.
    #[arg(long)]
    pub stream: Option<String>,
    /// With `two-way`: the stream that is played while `--stream` is pushed,
    #[arg(long)]
    pub play_stream: Option<String>,
    /// and its application where it is another.
    #[arg(long)]
    pub play_app: Option<String>,
    /// An audio call (the default).
    #[arg(long, conflicts_with = "video")]
    pub audio: bool,
    /// A video call.
    #[arg(long)]
    pub video: bool,
    #[command(flatten)]
    pub session: SessionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PurposeArg {
    Call,
    Play,
    Push,
    TwoWay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProtocolArg {
    ImSuite,
    Zlm,
}

#[derive(Debug, Args)]
pub struct ListenArgs {
    /// What to do with a call: as offered, unless said otherwise.
    #[arg(long, value_enum)]
    pub answer: Option<AnswerMode>,
    /// Seconds to wait before acting.
    #[arg(long, default_value_t = 0.0, value_parser = seconds)]
    pub answer_after: f64,
    /// Exit after so many calls.
    #[arg(long)]
    pub calls: Option<u32>,
    #[command(flatten)]
    pub session: SessionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AnswerMode {
    Audio,
    Video,
    Decline,
    Busy,
    Ignore,
}

/// What `call` and `listen` share.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// `ws(s)://…/ws`, or `ws(s)://…/signaling` for rooms.
    #[arg(long)]
    pub server: String,
    /// What the server speaks, where its address does not say so.
    #[arg(long, value_enum)]
    pub protocol: Option<ProtocolArg>,
    /// Sign in with a JWT …
    #[arg(long, conflicts_with_all = ["user", "password", "room"])]
    pub token: Option<String>,
    /// … or with a name
    #[arg(long, requires = "password", conflicts_with = "room")]
    pub user: Option<String>,
    /// and a password; with rooms, the secret of the server.
    #[arg(long)]
    pub password: Option<String>,
    /// With rooms: the own one. Without it the server makes one up.
    #[arg(long, value_parser = room)]
    pub room: Option<RoomId>,
    /// How the token travels: in the header alone, or after a refusal once more in the address.
    #[arg(long, value_enum, default_value = "auto")]
    pub auth: AuthWay,
    /// Plain ws:// to other machines is allowed.
    #[arg(long)]
    pub insecure_ws: bool,
    #[arg(long, default_value = "default", value_parser = device)]
    pub mic: DeviceSpec,
    #[arg(long, default_value = "default", value_parser = device)]
    pub speaker: DeviceSpec,
    #[arg(long, default_value = "default", value_parser = device)]
    pub camera: DeviceSpec,
    /// Turn the camera's pictures clockwise by 0, 90, 180 or 270 degrees.
    #[arg(long, value_name = "DEGREES", default_value = "0", value_parser = rotation)]
    pub rotate_camera: Rotation,
    /// Where received pictures go.
    #[arg(long, default_value = "null", value_parser = device)]
    pub screen: DeviceSpec,
    /// Hang up so many seconds after the call connected.
    #[arg(long = "for", value_parser = seconds)]
    pub hang_up_after: Option<f64>,
    #[arg(long, value_enum, default_value = "all")]
    pub ice: IcePolicy,
    /// One more STUN or TURN server: URL[,USER,PASS].
    #[arg(long, value_parser = ice_server)]
    pub ice_server: Vec<IceServer>,
    /// Use only these codecs, the first of its kind rather: opus, g722, pcmu, pcma, vp8, vp9, h264.
    #[arg(long, value_parser = codec)]
    pub codec: Vec<Codec>,
    /// What is done to the voice of a real microphone: `raw` nothing, `clean` echo, steady noise and level, `strong`
    /// other noise too.
    #[arg(long, value_enum, default_value = "clean")]
    pub voice: VoiceWay,
    /// What is sent as Opus and wished for: `voice`, `low-delay` with frames of 10 ms, or `music`, stereo where the other
    /// side takes it.
    #[arg(long, default_value = "voice", value_parser = sound)]
    pub sound: OpusMode,
    /// Hardly sends the pauses of speech (Opus).
    #[arg(long)]
    pub dtx: bool,
    /// Bits per second, all media together.
    #[arg(long, value_parser = clap::value_parser!(u64).range(8_000..))]
    pub max_bandwidth: Option<u64>,
    /// Bits per second.
    #[arg(long)]
    pub min_bandwidth: Option<u64>,
    /// Largest picture, WIDTHxHEIGHT.
    #[arg(long, value_parser = size)]
    pub size: Option<Resolution>,
    /// Most frames per second.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=120))]
    pub fps: Option<u32>,
    /// Seconds between statistics.
    #[arg(long, default_value_t = 1.0, value_parser = interval)]
    pub stats_interval: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthWay {
    Header,
    Auto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VoiceWay {
    Raw,
    Clean,
    Strong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IcePolicy {
    All,
    Relay,
}

pub fn room(text: &str) -> Result<RoomId, String> {
    RoomId::new(text).map_err(|error| error.to_string())
}

fn device(text: &str) -> Result<DeviceSpec, String> {
    text.parse::<DeviceSpec>().map_err(|error| error.to_string())
}

fn rotation(text: &str) -> Result<Rotation, String> {
    let degrees = text.parse().ok();
    degrees
        .and_then(Rotation::from_degrees)
        .ok_or_else(|| "is none of 0, 90, 180, 270".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && (0.0..=1e6).contains(&number) => Ok(number),
        _ => Err(format!("{text:?} is not a number of seconds from 0 to 1000000")),
    }
}

fn interval(text: &str) -> Result<f64, String> {
    match seconds(text)? {
        number if number >= 0.1 => Ok(number),
        _ => Err(format!("{text:?} is shorter than 0.1 seconds")),
    }
}

/// A codec of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Sound(SoundCodec),
    Picture(PictureCodec),
}

fn codec(name: &str) -> Result<Codec, String> {
    let sound = name.parse().map(Codec::Sound);
    sound
        .or_else(|_| name.parse().map(Codec::Picture))
        .map_err(|_: UnknownPictureCodec| "none of opus, g722, pcmu, pcma, vp8, vp9, h264".to_owned())
}

fn sound(name: &str) -> Result<OpusMode, String> {
    name.parse::<OpusMode>().map_err(|error| error.to_string())
}

fn size(text: &str) -> Result<Resolution, String> {
    let wrong = || format!("{text:?} is not WIDTHxHEIGHT with sides from 16 to 7680");
    let (width, height) = text.split_once('x').ok_or_else(wrong)?;
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| (16..=7680).contains(side));
    match (side(width), side(height)) {
        (Some(width), Some(height)) => Ok(Resolution { width, height }),
        _ => Err(wrong()),
    }
}

fn ice_server(text: &str) -> Result<IceServer, String> {
    let mut parts = text.splitn(3, ',');
    let url = parts.next().unwrap_or_default();
    if !["stun:", "turn:", "turns:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(format!("{url:?} does not begin with stun:, turn: or turns:"));
    }
    let (user, password) = (parts.next(), parts.next());
    if user.is_some() != password.is_some() {
        return Err(format!("{url:?} has a user but no password"));
    }
    Ok(IceServer {
        urls: vec![url.to_owned()],
        username: user.unwrap_or_default().to_owned(),
        credential: Credential::new(password.unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, String> {
        Cli::try_parse_from([&["ahoy-cli"], args].concat()).map_err(|error| error.to_string())
    }

    const SIGN_IN: [&str; 4] = ["--server", "ws://127.0.0.1:1/ws", "--token", "t"];

    #[test]
    fn a_wrong_value_is_named() {
        for (bad, named) in [
            (&["call", "--to", "1", "--type", "watch"][..], "watch"),
            (&["call", "--to", "1", "--room", ""][..], "room id"),
            (&["call", "--to", "1", "--mic", "tone:x"][..], "tone:x"),
            (&["call", "--to", "1", "--size", "12"][..], "\"12\""),
            (&["call", "--to", "1", "--sound", "loud"][..], "low-delay"),
            (&["call", "--to", "1", "--rotate-camera", "45"], "270"),
            (&["call", "--to", "1", "--ice-server", "http://x"][..], "http://x"),
            (&["call", "--to", "1", "--colour", "red"][..], "--colour"),
        ] {
            let error = parse(&[bad, &SIGN_IN].concat()).expect_err("must not parse");
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_wrong_account_does_not_repeat_the_password() {
        let error = parse(&["serve", "--user", "x:secret"]).expect_err("must not parse");
        assert!(error.contains("ID:NAME:PASSWORD"), "{error}");
    }

    #[test]
    fn devices_default_to_the_systems() {
        let cli = parse(&[&["call", "--to", "2"][..], &SIGN_IN].concat()).expect("parses");
        let Command::Call(call) = cli.command else {
            panic!("not a call")
        };
        assert_eq!(call.session.mic, DeviceSpec::Default);
        assert!(!call.video);
    }
}
