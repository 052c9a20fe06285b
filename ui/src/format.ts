// Numbers and names as people read them. Pure.
import type { CallView, StreamView } from "./generated/bindings";

/** Time in a call, from milliseconds: 0:08, 12:48, 1:02:03. */
export function callTime(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const seconds = String(total % 60).padStart(2, "0");
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** A number of seconds as hours, minutes and seconds. */
export function splitSeconds(total: number): [hours: number, minutes: number, seconds: number] {
  return [Math.floor(total / 3600), Math.floor(total / 60) % 60, Math.floor(total) % 60];
}

/** At most two letters for a picture of a name: both ends of a Latin name, the first sign of any other. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const first = [...(words[0] ?? "")];
  const start = first[0] ?? "?";
  if (!/^\p{Script=Latin}/u.test(start)) return start;
  const last = words.length > 1 ? [...(words.at(-1) ?? "")][0] : first[1];
  return (start + (last ?? "")).toLocaleUpperCase();
}

/** A hue in degrees that stays the same for an id; ids that follow each other get hues that are far apart. */
export function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  }
  // FNV-1a moves little between neighbours; the finaliser of MurmurHash3 spreads that over all bits.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % 360;
}

/** The name people call somebody by: the first word of a Latin name, else all of it. */
export function shortName(name: string): string {
  const first = name.trim().split(/\s+/)[0] ?? name;
  return /^\p{Script=Latin}/u.test(first) ? first : name;
}

/** The host of a server's address, or the address itself when it is none. */
export function hostOf(address: string): string {
  try {
    return new URL(address).host || address;
  } catch {
    return address;
  }
}

/** Midnight before `ms`, in local time. */
function dayOf(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** How many midnights lie between two moments. */
export function daysBetween(earlier: number, later: number): number {
  return Math.round((dayOf(later) - dayOf(earlier)) / 86_400_000);
}

/** Whole percent with a thin space, as both languages write it here. */
export function percentText(percent: number): string {
  return `${Math.round(percent)}\u2009%`;
}

/** A level in dBFS, with a minus sign and a thin space. */
export function decibelText(db: number): string {
  const whole = Math.round(db);
  return `${whole < 0 ? "−" : ""}${Math.abs(whole)}\u2009dB`;
}

/** The streams of a call: one, or that which is sent and that which is received. */
export function streamNames(stream: StreamView): string {
  return stream.played === null ? streamName(stream) : `${streamName(stream)} ⇄ ${streamName(stream.played)}`;
}

/** The stream of a call whose picture fills the window. */
export function shownStream(stream: StreamView, way: CallView["way"]): string {
  return streamName(stream.played === null || way === "send" ? stream : stream.played);
}

/** A stream by the names that people know it by. */
export function streamName(stream: { app: string; name: string }): string {
  // What follows a question mark may be a proof that nobody else is to read.
  return `${stream.app}/${stream.name.split("?")[0]}`;
}
