// What the sign-in form makes of an address and of a problem. Pure.
import type { ServerView } from "./generated/bindings";

/** The part of the form that a problem speaks about. */
export type Field = "address" | "proof" | "form";

/** The server's address from what a person types: a host alone means a secure WebSocket at /ws; `null` when it is none. */
export function addressOf(typed: string): string | null {
  const text = typed.trim();
  if (text === "" || /\s/.test(text)) return null;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "ws" && scheme !== "wss") return null;
  try {
    const url = new URL(scheme === undefined ? `wss://${text}` : text);
    if (url.hostname === "") return null;
    if (scheme === undefined && url.pathname === "/") url.pathname = "/ws";
    return url.href;
  } catch {
    return null;
  }
}

/** How a person proves who they are; with rooms nobody is asked. */
export type Method = "token" | "password" | "room";

/** Whether the address is that of a server of rooms. */
export function hasRooms(typed: string): boolean {
  const path = addressOf(typed)?.split(/[?#]/)[0] ?? "";
  return path.replace(/\/$/, "").endsWith("/signaling");
}

/** Which field a problem belongs to. */
export function fieldOf(code: string, method: Method): Field {
  switch (code) {
    case "room_taken":
    case "room_refused":
    case "room_secret_wrong":
      return method === "room" ? "proof" : "form";
    case "token_wrong":
    case "token_expired":
      return method === "token" ? "proof" : "form";
    case "credentials_wrong":
    case "second_factor":
      return method === "password" ? "proof" : "form";
    case "address_wrong":
    case "server_silent":
    case "certificate":
    case "insecure_server":
    case "not_a_server":
      return "address";
    default:
      return "form";
  }
}

/** Whether the problem is solved in the form: another token, password or address. */
export function solvedInForm(code: string): boolean {
  return [
    "token_wrong",
    "token_expired",
    "credentials_wrong",
    "second_factor",
    "insecure_server",
    "room_taken",
    "room_refused",
    "room_secret_wrong",
  ].includes(code);
}

/** Whether the screen opens with the form: a person who came this far must not choose the way again. */
export function startsWithForm(server: ServerView): boolean {
  return !server.embedded && server.problem !== null && solvedInForm(server.problem.code);
}
