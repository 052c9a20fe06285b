import { describe, expect, it } from "vitest";
import { intentOf, type Key } from "./keyboard";

function press(key: string, held: Partial<Key> = {}): Key {
  return { key, ctrl: false, shift: false, alt: false, typing: false, repeat: false, ...held };
}

const ringing = { state: "ringing_in", outgoing: false, video: true, way: "both" } as const;
const calling = { state: "ringing_out", outgoing: true, video: true, way: "both" } as const;
const talking = { state: "connected", outgoing: true, video: true, way: "both" } as const;

describe("while it rings", () => {
  it("V, A, D answer and Esc silences", () => {
    expect(["v", "A", "d", "Escape"].map((key) => intentOf(press(key), ringing))).toEqual([
      "accept_video",
      "accept_audio",
      "decline",
      "silence",
    ]);
  });

  it("Enter and Space accept nothing", () => {
    expect([intentOf(press("Enter"), ringing), intentOf(press(" "), ringing)]).toEqual([null, null]);
  });

  it("an audio call cannot be accepted with video", () => {
    expect(intentOf(press("v"), { ...ringing, video: false })).toBeNull();
  });

  it("hanging up is no answer", () => {
    expect(intentOf(press("H", { ctrl: true, shift: true }), ringing)).toBeNull();
  });
});

describe("in a call", () => {
  it("M mutes, V turns the camera, Ctrl+Shift+H hangs up", () => {
    expect(intentOf(press("m"), talking)).toBe("toggle_mute");
    expect(intentOf(press("v"), talking)).toBe("toggle_camera");
    expect(intentOf(press("H", { ctrl: true, shift: true }), talking)).toBe("hang_up");
  });

  it("Esc cancels only what nobody answered", () => {
    expect(intentOf(press("Escape"), calling)).toBe("cancel");
    expect(intentOf(press("Escape"), talking)).toBeNull();
  });

  it("no single letter hangs up", () => {
    const letters = [..."abcdefghijklmnopqrstuvwxyz"].map((key) => intentOf(press(key), talking));
    expect(letters).not.toContain("hang_up");
  });

  it("a held key acts once, and a combination is not a letter", () => {
    expect(intentOf(press("m", { repeat: true }), talking)).toBeNull();
    expect(intentOf(press("v", { ctrl: true }), talking)).toBeNull();
  });

  it("V in an audio call asks for pictures once it is connected", () => {
    expect(intentOf(press("v"), { ...talking, video: false, state: "connecting" })).toBeNull();
    expect(intentOf(press("v"), { ...talking, video: false })).toBe("toggle_camera");
  });
});

describe("without a call", () => {
  it("the slash leads to the search, unless it is typed", () => {
    expect(intentOf(press("/"), null)).toBe("search");
    expect(intentOf(press("/", { typing: true }), null)).toBeNull();
  });

  it("F6 goes from region to region, also out of a field", () => {
    expect(intentOf(press("F6", { typing: true }), null)).toBe("next_region");
    expect(intentOf(press("F6", { shift: true }), null)).toBe("previous_region");
  });
});
