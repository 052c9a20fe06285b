// The shapes that the shell sends and takes. Generated from the Rust types; not edited by hand.

export type ViewModel = {
  server: ServerView;
  me: PersonView | null;
  people: PersonView[];
  call: CallView | null;
  ended: EndedView | null;
  recent: RecentView[];
  notices: NoticeView[];
};

export type ServerView = {
  url: string;
  embedded: boolean;
  state: "signed_out" | "connecting" | "ready" | "offline";
  problem: ProblemView | null;
  retry_in_s: number | null;
};

export type ProblemView = { code: string; detail: string };

export type PersonView = {
  id: string;
  name: string;
  presence: "ready" | "in_call" | "offline" | "unknown";
  echo: boolean;
};

export type Part = "ok" | "weak" | "bad" | "unknown";

export type CallView = {
  call_id: string;
  peer: PersonView;
  outgoing: boolean;
  video: boolean;
  state: "calling" | "ringing_out" | "ringing_in" | "connecting" | "connected" | "reconnecting";
  began_at_ms: number;
  connected_at_ms: number | null;
  muted: boolean;
  camera_on: boolean;
  microphone: "ok" | "missing";
  camera: "ok" | "test_picture" | "off";
  remote_muted: boolean | null;
  remote_video: boolean | null;
  hears: "yes" | "no" | "unknown";
  sees: "yes" | "no" | "unknown" | "not_sending";
  telltale: { you: Part; line: Part; them: Part };
  verdict: {
    level: "good" | "fair" | "poor" | "bad" | "unknown";
    side: "ours" | "theirs" | "network" | "none";
    cause: string;
    loss_percent: number | null;
  };
  path: "direct" | "relay" | "unknown";
  level_in: number;
  level_out: number;
};

export type EndedView = {
  peer: PersonView;
  video: boolean;
  outgoing: boolean;
  duration_s: number | null;
  cause: string;
  detail: string;
};

export type RecentView = {
  peer: PersonView;
  outgoing: boolean;
  video: boolean;
  cause: string;
  duration_s: number | null;
  at_ms: number;
};

export type NoticeView = { id: number; code: string; detail: string };
