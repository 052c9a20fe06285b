// Which screen a view model asks for. Pure.
import type { ViewModel } from "./generated/bindings";
import { solvedInForm } from "./sign_in";

export type Screen =
  | "starting"
  | "sign_in"
  | "settings"
  | "trouble"
  | "people"
  | "outgoing"
  | "incoming"
  | "call_video"
  | "call_audio"
  | "ended";

/** The screen for `view`. `choosing`: the person asked for another server; `adjusting`: for the settings. */
export function screenOf(view: ViewModel, choosing: boolean, adjusting = false): Screen {
  const { call, server } = view;
  if (call !== null) {
    if (call.state === "ringing_in") return "incoming";
    const unconnected = call.state === "calling" || call.state === "ringing_out" || call.state === "connecting";
    if (call.outgoing && unconnected) return "outgoing";
    return call.video ? "call_video" : "call_audio";
  }
  if (view.ended !== null) return "ended";
  if (choosing) return "sign_in";
  if (adjusting) return "settings";
  if (server.problem !== null && solvedInForm(server.problem.code) && server.state !== "ready") return "sign_in";
  // Who has been signed in keeps the list of people while the server is away.
  if (view.me !== null) return "people";
  if (server.state === "connecting") return server.problem === null ? "starting" : "trouble";
  if (server.state === "offline" || server.problem !== null) return "trouble";
  return "sign_in";
}
