// The small pure decisions: the screen, the sign-in form, the directory, the notices, the corners, the roving focus.
import { describe, expect, it } from "vitest";
import { cornerAfterKey, cornerAt } from "./corner";
import { choices, decibels, filled } from "./devices";
import { beyond, dialled, matching, worthSearching } from "./directory";
import { nextIndex } from "./focus";
import type { FoundView, PersonView, ServerView } from "./generated/bindings";
import { worstNotice } from "./notices";
import { screenOf, type Screen } from "./screen";
import { addressOf, fieldOf, hasRooms, startsWithForm } from "./sign_in";
import { fixture, FIXTURES } from "./testing/fixtures";

const SCREENS: Record<(typeof FIXTURES)[number], Screen> = {
  people: "people",
  people_search: "people",
  people_basic: "people",
  empty: "people",
  first_start: "sign_in",
  starting: "starting",
  error_server: "trouble",
  error_restarting: "trouble",
  people_offline: "people",
  error_token: "sign_in",
  error_port: "trouble",
  error_replaced: "people",
  rooms: "people",
  error_room: "sign_in",
  outgoing: "outgoing",
  calling_audio: "outgoing",
  incoming: "incoming",
  incoming_audio: "incoming",
  call_video: "call_video",
  call_weak: "call_video",
  call_muted: "call_video",
  call_no_picture: "call_video",
  stream_play: "call_video",
  stream_silent: "call_video",
  stream_without_sound: "call_video",
  stream_push: "call_video",
  stream_two_way: "call_video",
  stream_half: "call_video",
  ended_stream: "ended",
  invitation: "people",
  invitation_plain: "people",
  invitation_unreadable: "people",
  call_no_keypad: "call_video",
  call_no_devices: "call_video",
  call_reconnecting: "call_video",
  call_server_away: "call_video",
  call_connecting: "call_video",
  call_audio: "call_audio",
  ended: "ended",
  ended_busy: "ended",
  ended_rate_limited: "ended",
  ended_too_old: "ended",
};

describe("the screen", () => {
  it.each(Object.entries(SCREENS))("of %s is %s", (name, screen) => {
    const view = fixture(name, false, 0);
    expect(view).not.toBeNull();
    if (view !== null) expect(screenOf(view, false)).toBe(screen);
  });

  it("of another server is asked for, but a call comes first", () => {
    const [people, incoming] = [fixture("people", false, 0), fixture("incoming", false, 0)];
    expect(people !== null && screenOf(people, true)).toBe("sign_in");
    expect(incoming !== null && screenOf(incoming, true)).toBe("incoming");
  });
});

describe("the address", () => {
  it("of a host alone is secure", () => {
    expect(addressOf(" im.example.org ")).toBe("wss://im.example.org/ws");
    expect(addressOf("im.example.org:8443/chat")).toBe("wss://im.example.org:8443/chat");
  });

  it("that is given whole stays as it is", () => {
    expect(addressOf("ws://127.0.0.1:7480/ws")).toBe("ws://127.0.0.1:7480/ws");
  });

  it("is nothing else", () => {
    expect(["", "  ", "https://im.example.org", "two words", "wss://"].map(addressOf)).toEqual([null, null, null, null, null]);
  });
});

describe("the sign-in form", () => {
  const wrong = (code: string, embedded: boolean): ServerView => ({
    url: "wss://im.example.org/ws",
    embedded,
    state: "signed_out",
    problem: { code, detail: "" },
    retry_in_s: null,
    basic_mode: false,
    rooms: false,
    invitation: null,
  });

  it("shows a problem at the field that solves it", () => {
    expect(fieldOf("token_expired", "token")).toBe("proof");
    expect(fieldOf("token_expired", "password")).toBe("form");
    expect(fieldOf("credentials_wrong", "password")).toBe("proof");
    expect(fieldOf("insecure_server", "token")).toBe("address");
    expect(fieldOf("banned", "token")).toBe("form");
    expect(fieldOf("room_taken", "room")).toBe("proof");
  });

  it("knows a server of rooms by its address", () => {
    expect(["wss://h/signaling", " ws://10.0.0.1:3000/signaling/ ", "h.example/signaling"].every(hasRooms)).toBe(true);
    expect(["wss://h/ws", "h.example", "", "wss://h/ws?x=/signaling", "wss://h/signaling2"].some(hasRooms)).toBe(false);
  });

  it("is open for a person whose token ended", () => {
    expect(startsWithForm(wrong("token_expired", false))).toBe(true);
    expect(startsWithForm(wrong("token_expired", true))).toBe(false);
    expect(startsWithForm(wrong("server_silent", false))).toBe(false);
  });
});

describe("the directory", () => {
  const people: PersonView[] = [
    { id: "9000", name: "Echo", presence: "ready", echo: true, contact: false },
    { id: "5", name: "Tomás Rocha", presence: "ready", echo: false, contact: true },
    { id: "31", name: "陈伟", presence: "ready", echo: false, contact: true },
  ];
  const ids = (typed: string): string[] => matching(people, typed).map((person) => person.id);

  it("finds without accents and case, by id, and shows the echo last", () => {
    expect(ids("TOMAS")).toEqual(["5"]);
    expect(ids("陈")).toEqual(["31"]);
    expect(ids("3")).toEqual(["31"]);
    expect(ids("")).toEqual(["5", "31", "9000"]);
  });

  it("shows whom the server found for what stands there, and nobody twice", () => {
    const stranger: PersonView = { id: "77", name: "Tomasz", presence: "unknown", echo: false, contact: false };
    const found: FoundView = { keyword: "tomas", people: [...people, stranger], state: "done" };
    expect(beyond(people, found, " tomas ")).toEqual([stranger]);
    expect(beyond(people, found, "toma")).toEqual([]);
    expect(beyond(people, null, "tomas")).toEqual([]);
  });

  it("asks the server for names, not for ids and single letters", () => {
    expect(["", "t", "42", " 42 "].filter(worthSearching)).toEqual([]);
    expect(["to", "林", "maya 2"].every(worthSearching)).toBe(true);
  });

  it("dials ids of nobody in the list", () => {
    expect(dialled(people, "1", " 42 ", false)).toBe("42");
    expect(["5", "1", "maya", "", "0", "007", "9007199254740993"].map((typed) => dialled(people, "1", typed, false))).toEqual(
      Array(7).fill(null),
    );
  });

  it("takes any text for a room where the server has rooms", () => {
    expect(dialled(people, "bob", " engine room ", true)).toBe("engine room");
    expect(["", " ", "bob", "5"].map((typed) => dialled(people, "bob", typed, true))).toEqual(Array(4).fill(null));
  });
});

it("the worst notice is shown, and of these the newest", () => {
  const notice = (id: number, code: string) => ({ id, code, detail: "" });
  expect(worstNotice([])).toBeNull();
  expect(worstNotice([notice(1, "no_microphone"), notice(2, "no_camera")])?.id).toBe(1);
  expect(worstNotice([notice(1, "no_microphone"), notice(2, "no_speaker")])?.id).toBe(2);
  expect(worstNotice([notice(4, "no_camera"), notice(3, "camera_busy")])?.id).toBe(4);
  expect(worstNotice([notice(4, "basic_mode"), notice(3, "no_camera")])?.id).toBe(3);
  expect(worstNotice([notice(4, "signaling_lost"), notice(5, "contact_failed")])?.id).toBe(4);
});

it("the own picture snaps to the nearest corner and follows the arrows", () => {
  const box = { left: 100, top: 0, width: 200, height: 100 };
  expect(cornerAt(110, 10, box)).toBe("top-left");
  expect(cornerAt(290, 90, box)).toBe("bottom-right");
  expect(cornerAfterKey("bottom-right", "ArrowUp")).toBe("top-right");
  expect(cornerAfterKey("top-right", "ArrowLeft")).toBe("top-left");
  expect(cornerAfterKey("top-left", "Enter")).toBeNull();
});

it("the arrows go round a toolbar", () => {
  expect(nextIndex("ArrowRight", 2, 3)).toBe(0);
  expect(nextIndex("ArrowLeft", 0, 3)).toBe(2);
  expect(nextIndex("End", 0, 3)).toBe(2);
  expect(nextIndex("m", 0, 3)).toBeNull();
  expect(nextIndex("ArrowRight", 0, 0)).toBeNull();
});

describe("the devices to choose from", () => {
  const words = {
    asSystem: (name: string | null) => `system ${name ?? "?"}`,
    missing: (name: string) => `${name} away`,
  };
  const desk = { spec: "mic:1", name: "Desk", is_default: true };

  it("begin with what the system uses", () => {
    expect(choices([desk], "default", words).map(({ name }) => name)).toEqual(["system Desk", "Desk"]);
    expect(choices([], "default", words).map(({ name }) => name)).toEqual(["system ?"]);
  });

  it("keep the chosen one while it is away", () => {
    expect(choices([desk], "mic:Jabra: 380", words).at(-1)).toEqual({ spec: "mic:Jabra: 380", name: "Jabra: 380 away" });
    expect(choices([desk], "tone:440", words).at(-1)).toEqual({ spec: "tone:440", name: "tone:440" });
  });

  it("have a meter that ends at both ends", () => {
    expect([-90, -60, -30, 0, 6].map(filled)).toEqual([0, 0, 0.5, 1, 1]);
    expect([0, 1e-9, 0.1, 1].map((amplitude) => Math.round(decibels(amplitude)))).toEqual([-60, -60, -20, 0]);
  });
});
