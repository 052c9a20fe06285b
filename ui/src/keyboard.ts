// Which key means what, by what is on screen. Pure: no key is acted upon here.
import type { CallView } from "./generated/bindings";

export type Intent =
  | "accept_video"
  | "accept_audio"
  | "decline"
  | "silence"
  | "cancel"
  | "hang_up"
  | "toggle_mute"
  | "toggle_camera"
  | "open_devices"
  | "open_keypad"
  | "search"
  | "next_region"
  | "previous_region";

/** A key press, as far as it matters. */
export type Key = {
  key: string;
  ctrl: boolean;
  shift: boolean;
  alt: boolean;
  /** The press goes into a text field. */
  typing: boolean;
  /** The key is held down and repeats. */
  repeat: boolean;
};

/** What the press asks for, `null` when nothing. Enter never accepts a call by itself. */
export function intentOf(press: Key, call: Pick<CallView, "state" | "outgoing" | "video" | "way"> | null): Intent | null {
  if (press.key === "F6") return press.shift ? "previous_region" : "next_region";
  if (press.repeat) return null;
  const letter = press.key.toLowerCase();
  if (press.ctrl && press.shift && letter === "h") return call !== null && call.state !== "ringing_in" ? "hang_up" : null;
  if (press.ctrl || press.alt || press.typing) return null;
  if (call === null) return press.key === "/" ? "search" : null;
  if (call.state === "ringing_in") {
    if (letter === "v") return call.video ? "accept_video" : null;
    if (letter === "a") return "accept_audio";
    if (letter === "d") return "decline";
    return press.key === "Escape" ? "silence" : null;
  }
  if (press.key === "Escape") return isUnanswered(call) ? "cancel" : null;
  if (letter === "d") return isUnanswered(call) ? null : "open_devices";
  if (letter === "k") return isUnanswered(call) ? null : "open_keypad";
  if (letter === "m") return call.way === "receive" ? null : "toggle_mute";
  if (letter === "v") return mayShow(call) ? "toggle_camera" : null;
  return null;
}

/** Whether the own camera can be turned on: in an audio call it asks for a video call, once there is a connection. */
export function mayShow(call: Pick<CallView, "state" | "video" | "way">): boolean {
  if (call.way === "receive") return false;
  return call.video || call.state === "connected";
}

/** Whether the other side has not answered yet, so that ending means cancelling. */
export function isUnanswered(call: Pick<CallView, "state" | "outgoing">): boolean {
  return call.outgoing && (call.state === "calling" || call.state === "ringing_out");
}
