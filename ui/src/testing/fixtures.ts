// One view model for every screen, by name. Times are relative to `now`, so that a picture of a screen is always young.
import type { CallView, EndedView, InvitationView, PersonView, RecentView, ServerView, StreamView, ViewModel } from "../generated/bindings";

type Names = { maya: string; chen: string; aiko: string; tomas: string; priya: string; joe: string; mara: string; martin: string; builtIn: string };

const LATIN: Names = {
  maya: "Maya Lindqvist",
  chen: "Chen Wei",
  aiko: "Aiko Mori",
  tomas: "Tomás Rocha",
  priya: "Priya Nair",
  joe: "Grandpa Joe",
  mara: "Mara Okafor",
  martin: "Martin Haas",
  builtIn: "Built-in audio",
};
const CHINESE: Names = { maya: "林雅", chen: "陈伟", aiko: "森爱子", tomas: "罗明", priya: "倪丽雅", joe: "外公", mara: "马岚", martin: "马丁", builtIn: "内置音频" };

function person(id: string, name: string, presence: PersonView["presence"] = "ready", echo = false): PersonView {
  return { id, name, presence, echo, contact: !echo };
}

/** A room is called by its name and on nobody's list. */
function room(name: string, presence: PersonView["presence"] = "ready"): PersonView {
  return { ...person(name, name, presence), contact: false };
}

const READY: ServerView = {
  url: "wss://im.harbor.example/ws",
  embedded: false,
  state: "ready",
  problem: null,
  retry_in_s: null,
  basic_mode: false,
  rooms: false,
  invitation: null,
};

const INVITATION: InvitationView = {
  server: "wss://media.harbor.example/signaling",
  host: "media.harbor.example",
  room: "quiet-cabin-7f3a",
  encrypted: true,
  problem: null,
};

function trouble(code: string, detail: string, change: Partial<ServerView> = {}): ServerView {
  return { ...READY, state: "offline", problem: { code, detail }, ...change };
}

/** Builds the view model of a fixture; `null` when there is none by that name. */
export function fixture(name: string, chinese: boolean, now: number): ViewModel | null {
  const names = chinese ? CHINESE : LATIN;
  const maya = person("2", names.maya);
  const tomas = person("5", names.tomas);
  const echo = person("9000", "Echo", "ready", true);
  const people: ViewModel = {
    server: READY,
    me: person("1", "1"),
    people: [
      maya,
      person("3", names.chen),
      person("4", names.aiko, "in_call"),
      tomas,
      person("6", names.priya, "offline"),
      person("7", names.joe, "offline"),
      echo,
    ],
    found: null,
    call: null,
    ended: null,
    recent: recentCalls(names, now),
    notices: [],
    camera_rotation: 0,
    voice: { echo_cancellation: true, noise_suppression: "normal", auto_gain_control: true, high_pass: true },
    sound: {
      microphones: [
        { spec: "mic:built-in", name: names.builtIn, is_default: true },
        { spec: "mic:jabra", name: "Jabra Link 380", is_default: false },
      ],
      speakers: [
        { spec: "speaker:built-in", name: names.builtIn, is_default: true },
        { spec: "speaker:jabra", name: "Jabra Link 380", is_default: false },
      ],
      microphone: "default",
      speaker: "speaker:jabra",
      ring: "speaker:built-in",
      ring_volume: 70,
      meter: null,
    },
    invitation: null,
  };
  const signedOut: ViewModel = {
    ...people,
    server: { ...READY, url: "", state: "signed_out" },
    me: null,
    people: [],
    recent: [],
  };
  const empty: ViewModel = {
    ...people,
    server: { ...READY, url: "ws://127.0.0.1:7480/ws", embedded: true },
    people: [echo],
    recent: [],
  };
  const ring: CallView = {
    call_id: "c1",
    peer: maya,
    outgoing: true,
    video: true,
    way: "both",
    stream: null,
    lost_half: null,
    state: "ringing_out",
    began_at_ms: now - 8000,
    connected_at_ms: null,
    muted: false,
    camera_on: true,
    microphone: "ok",
    camera: "ok",
    remote_muted: null,
    remote_video: null,
    hears: "unknown",
    sees: "unknown",
    telltale: { you: "unknown", line: "unknown", them: "unknown" },
    verdict: { level: "unknown", side: "none", cause: "measuring", loss_percent: null },
    path: "unknown",
    check_code: null,
    takes_digits: false,
    voice_loss: 0,
    level_in: 0,
    level_out: 0,
  };
  const talk: CallView = {
    ...ring,
    state: "connected",
    began_at_ms: now - 776_000,
    connected_at_ms: now - 768_000,
    remote_muted: false,
    remote_video: true,
    hears: "yes",
    sees: "yes",
    telltale: { you: "ok", line: "ok", them: "ok" },
    verdict: { level: "good", side: "none", cause: "fine", loss_percent: 0 },
    path: "direct",
    takes_digits: true,
    check_code: "47110 08154 90210 31337 00042 86420",
    level_in: 0.6,
    level_out: 0.1,
  };
  const ended: EndedView = {
    peer: tomas,
    video: true,
    outgoing: true,
    stream: null,
    duration_s: 412,
    cause: "connection_lost",
    retry_after_s: null,
    detail: "ice disconnected · 30 s",
  };
  const inCall = (change: Partial<CallView>, more: Partial<ViewModel> = {}): ViewModel => ({
    ...people,
    ...more,
    call: { ...talk, ...change },
  });
  const rooms: ViewModel = {
    ...people,
    server: {
      ...READY,
      url: "wss://media.harbor.example/signaling",
      rooms: true,
      invitation: "ahoy:room?server=wss%3A%2F%2Fmedia.harbor.example%2Fsignaling&room=bridge",
    },
    me: person("bridge", "bridge"),
    people: [room("engine-room"), room("galley"), room("harbor-cam", "in_call")],
    recent: [],
  };
  const camera = room("harbor-cam", "in_call");
  const played: StreamView = { push: false, vhost: "__defaultVhost__", app: "live", name: "harbor", played: null };
  const play = (change: Partial<CallView> = {}, more: Partial<ViewModel> = {}): ViewModel => ({
    ...rooms,
    ...more,
    call: {
      ...talk,
      peer: camera,
      way: "receive",
      stream: played,
      camera_on: false,
      camera: "off",
      sees: "not_sending",
      hears: "unknown",
      takes_digits: false,
      ...change,
    },
  });
  const twoWay = (change: Partial<CallView> = {}, more: Partial<ViewModel> = {}): ViewModel =>
    play(
      {
        way: "both",
        stream: { ...played, push: true, name: "bridge", played: { app: "live", name: "harbor" } },
        camera_on: true,
        camera: "ok",
        sees: "yes",
        hears: "yes",
        check_code: null,
        ...change,
      },
      more,
    );
  const unseen: Partial<ViewModel> = { me: null, people: [], recent: [] };
  const all: Record<string, () => ViewModel> = {
    people: () => people,
    people_search: () => ({
      ...people,
      found: {
        keyword: "ma",
        people: [maya, { ...person("31", names.mara), contact: false }, { ...person("44", names.martin, "offline"), contact: false }],
        state: "done",
      },
    }),
    people_basic: () => ({
      ...people,
      server: { ...READY, basic_mode: true },
      notices: [{ id: 1, code: "basic_mode", detail: "the server shows no features" }],
    }),
    error_restarting: () => ({
      ...people,
      ...unseen,
      server: trouble("server_restarting", "server closed the connection with code 1012", { retry_in_s: 2 }),
    }),
    empty: () => empty,
    first_start: () => signedOut,
    starting: () => ({ ...people, ...unseen, server: { ...READY, state: "connecting" } }),
    error_server: () => ({
      ...people,
      ...unseen,
      server: trouble("server_silent", "connect timed out · 10 s · 203.0.113.7:443", { retry_in_s: 8 }),
    }),
    people_offline: () => ({
      ...people,
      server: trouble("server_silent", "connection reset · im.harbor.example:443", { retry_in_s: 8 }),
    }),
    error_token: () => ({
      ...people,
      ...unseen,
      server: trouble("token_expired", "401 token_expired", { state: "signed_out" }),
    }),
    error_port: () => ({
      ...people,
      ...unseen,
      server: trouble("port_taken", "bind 127.0.0.1:7480: address in use", { embedded: true }),
    }),
    rooms: () => rooms,
    rooms_stream: () => rooms,
    error_room: () => ({
      ...signedOut,
      server: trouble("room_taken", "somebody else has this room", {
        url: "wss://media.harbor.example/signaling",
        state: "signed_out",
        rooms: true,
      }),
    }),
    invitation: () => ({ ...empty, invitation: INVITATION }),
    invitation_plain: () => ({
      ...people,
      invitation: { ...INVITATION, server: "ws://10.0.0.7:3000/signaling", host: "10.0.0.7:3000", encrypted: false },
    }),
    invitation_unreadable: () => ({
      ...empty,
      invitation: {
        server: "",
        host: "",
        room: "",
        encrypted: false,
        problem: { code: "invitation_server", detail: "the server of an invitation is ws(s)://HOST/…/signaling and nothing more" },
      },
    }),
    error_replaced: () => ({ ...people, server: trouble("replaced", "", { state: "signed_out" }) }),
    outgoing: () => ({ ...people, call: ring }),
    calling_audio: () => ({ ...people, call: { ...ring, video: false, camera_on: false, camera: "off", state: "calling" } }),
    incoming: () => ({ ...people, call: { ...ring, outgoing: false, state: "ringing_in", camera_on: false, camera: "off" } }),
    incoming_audio: () => ({
      ...people,
      call: { ...ring, outgoing: false, video: false, state: "ringing_in", camera_on: false, camera: "off" },
    }),
    call_video: () => inCall({}),
    call_echo: () => inCall({ peer: echo, voice_loss: 20, check_code: null }),
    call_echo_audio: () =>
      inCall({ peer: echo, video: false, camera_on: false, camera: "off", voice_loss: 0, check_code: null }),
    people_preferences: () => people,
    settings: () => people,
    settings_silent: () => ({
      ...people,
      sound: {
        ...people.sound,
        microphone: "mic:usb-gone",
        ring: null,
        meter: { db: null, problem: "no_microphone" },
      },
    }),
    call_devices: () => inCall({}),
    call_keypad: () => inCall({}),
    call_keypad_audio: () =>
      inCall({ video: false, camera_on: false, camera: "off", remote_video: null, sees: "not_sending" }),
    call_no_keypad: () => inCall({ takes_digits: false }),
    call_devices_audio: () => inCall({ video: false, camera_on: false, camera: "off", remote_video: null, sees: "not_sending" }),
    call_check: () => inCall({}),
    call_talking_muted: () =>
      inCall({ muted: true }, { notices: [{ id: 1, code: "talking_muted", detail: "" }] }),
    call_microphone_silent: () =>
      inCall({ video: false, camera_on: false, camera: "off", hears: "no" }, { notices: [{ id: 1, code: "microphone_silent", detail: "" }] }),
    call_weak: () =>
      inCall({
        telltale: { you: "weak", line: "ok", them: "ok" },
        verdict: { level: "poor", side: "ours", cause: "wifi_loss", loss_percent: 12 },
      }),
    call_muted: () => inCall({ muted: true, camera_on: false, camera: "off", sees: "not_sending", remote_muted: true }),
    call_no_picture: () => inCall({ remote_video: false, path: "relay" }),
    call_no_devices: () =>
      inCall(
        { microphone: "missing", camera: "test_picture", hears: "no" },
        {
          notices: [
            { id: 1, code: "no_microphone", detail: "no input device" },
            { id: 2, code: "no_camera", detail: "no capture device" },
          ],
        },
      ),
    call_reconnecting: () =>
      inCall({
        state: "reconnecting",
        hears: "unknown",
        sees: "unknown",
        telltale: { you: "bad", line: "unknown", them: "unknown" },
        verdict: { level: "bad", side: "ours", cause: "no_route", loss_percent: null },
      }),
    call_server_away: () =>
      inCall(
        {},
        {
          server: trouble("server_silent", "connection reset", { retry_in_s: 8 }),
          notices: [{ id: 1, code: "signaling_lost", detail: "connection reset" }],
        },
      ),
    stream_play: () => play(),
    stream_silent: () =>
      play({ remote_video: false }, { notices: [{ id: 1, code: "stream_silent", detail: "nothing of the stream has arrived" }] }),
    stream_without_sound: () =>
      play({}, { notices: [{ id: 1, code: "stream_without_sound", detail: "the stream has no sound, or none that a call can carry" }] }),
    stream_push: () =>
      play({ way: "send", stream: { ...played, push: true }, camera_on: true, camera: "ok", remote_video: null, sees: "yes", hears: "yes" }),
    stream_two_way: () => twoWay(),
    stream_half: () =>
      twoWay(
        { way: "receive", lost_half: { push: true, cause: "stream_taken" }, camera_on: false, camera: "off", hears: "unknown", sees: "not_sending" },
        { notices: [{ id: 1, code: "push_ended", detail: "nothing is sent any more: stream_taken (live/bridge)" }] },
      ),
    ended_stream: () => ({
      ...rooms,
      ended: { ...ended, peer: camera, stream: played, cause: "stream_not_found", duration_s: null, detail: "" },
    }),
    call_connecting: () => ({ ...people, call: { ...ring, outgoing: false, state: "connecting" } }),
    call_audio: () => inCall({ video: false, camera_on: false, camera: "off", remote_video: null, sees: "not_sending" }),
    ended: () => ({ ...people, ended }),
    ended_busy: () => ({
      ...people,
      ended: { ...ended, peer: maya, cause: "busy", duration_s: null, video: false, detail: "" },
    }),
    ended_rate_limited: () => ({
      ...people,
      ended: { ...ended, peer: maya, cause: "rate_limited", retry_after_s: 42, duration_s: null, detail: "server_error" },
    }),
    ended_too_old: () => ({
      ...people,
      ended: { ...ended, peer: maya, cause: "too_old", duration_s: null, detail: "no shared video codec: VP8, VP9" },
    }),
  };
  return all[name]?.() ?? null;
}

/** Every name that `fixture` knows. */
export const FIXTURES = [
  "people",
  "people_search",
  "people_basic",
  "empty",
  "first_start",
  "starting",
  "error_server",
  "error_restarting",
  "people_offline",
  "error_token",
  "error_port",
  "error_replaced",
  "rooms",
  "error_room",
  "invitation",
  "invitation_plain",
  "invitation_unreadable",
  "outgoing",
  "calling_audio",
  "incoming",
  "incoming_audio",
  "call_video",
  "call_weak",
  "call_muted",
  "call_no_picture",
  "call_no_keypad",
  "call_no_devices",
  "call_reconnecting",
  "call_server_away",
  "call_connecting",
  "stream_play",
  "stream_silent",
  "stream_without_sound",
  "stream_push",
  "stream_two_way",
  "stream_half",
  "ended_stream",
  "call_audio",
  "ended",
  "ended_busy",
  "ended_rate_limited",
  "ended_too_old",
] as const;

function recentCalls(names: Names, now: number): RecentView[] {
  const today = new Date(now).setHours(0, 0, 0, 0);
  const at = (days: number, hours: number, minutes: number): number => today - days * 86_400_000 + (hours * 60 + minutes) * 60_000;
  const call = (
    id: string,
    name: string,
    cause: string,
    outgoing: boolean,
    video: boolean,
    duration_s: number | null,
    at_ms: number,
  ): RecentView => ({ peer: person(id, name), outgoing, video, stream: null, cause, duration_s, at_ms });
  return [
    call("3", names.chen, "missed", false, true, null, at(0, 14, 2)),
    call("2", names.maya, "hung_up_by_us", true, true, 1450, at(0, 11, 30)),
    call("4", names.aiko, "busy", true, false, null, at(0, 10, 5)),
    call("5", names.tomas, "connection_lost", false, true, 412, at(0, 9, 41)),
    call("6", names.priya, "missed", false, false, null, at(1, 18, 20)),
    call("7", names.joe, "hung_up_by_them", false, true, 2493, at(1, 17, 45)),
    call("3", names.chen, "declined", true, false, null, at(1, 16, 12)),
    call("2", names.maya, "answered_elsewhere", false, true, null, at(1, 9, 0)),
  ];
}
