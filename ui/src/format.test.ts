import { expect, it } from "vitest";
import { callTime, daysBetween, decibelText, hostOf, hueOf, initials, shortName, shownStream, splitSeconds, streamName, streamNames } from "./format";

it("the time in a call grows from seconds to hours", () => {
  expect([8_000, 768_400, 3_723_000, -5].map(callTime)).toEqual(["0:08", "12:48", "1:02:03", "0:00"]);
});

it("a number of seconds splits into hours, minutes and seconds", () => {
  expect(splitSeconds(412)).toEqual([0, 6, 52]);
  expect(splitSeconds(7325.9)).toEqual([2, 2, 5]);
});

it("letters stand for a name", () => {
  expect(["Maya Lindqvist", "Echo", "林雅", "  tomás de rocha ", "7", ""].map(initials)).toEqual([
    "ML",
    "EC",
    "林",
    "TR",
    "7",
    "?",
  ]);
});

it("a hue is stable and neighbours differ", () => {
  expect(hueOf("2")).toBe(hueOf("2"));
  const hues = Array.from({ length: 20 }, (_, id) => hueOf(String(id)));
  expect(new Set(hues).size).toBeGreaterThan(15);
  expect(hues.every((hue) => hue >= 0 && hue < 360)).toBe(true);
});

it("people are called by their first name, Chinese names stay whole", () => {
  expect(["Maya Lindqvist", "林 雅", "Echo"].map(shortName)).toEqual(["Maya", "林 雅", "Echo"]);
});

it("the host of an address is shown, and what is no address as it stands", () => {
  expect(["wss://im.example.org/ws", "ws://127.0.0.1:7480/ws", "nonsense"].map(hostOf)).toEqual([
    "im.example.org",
    "127.0.0.1:7480",
    "nonsense",
  ]);
});

it("days are counted by midnights, not by hours", () => {
  const evening = new Date(2026, 2, 28, 23, 59).getTime();
  const morning = new Date(2026, 2, 29, 0, 1).getTime();
  expect(daysBetween(evening, morning)).toBe(1);
  expect(daysBetween(morning, morning + 3_600_000)).toBe(0);
});

it("a call both ways has two streams, of which the received one is shown for as long as it comes", () => {
  const pushed = { push: true, vhost: "v", app: "live", name: "desk?token=x", played: null };
  const both = { ...pushed, played: { app: "cams", name: "harbor?token=y" } };
  expect([streamNames(pushed), streamNames(both)]).toEqual(["live/desk", "live/desk ⇄ cams/harbor"]);
  expect([shownStream(both, "both"), shownStream(both, "receive")]).toEqual(["cams/harbor", "cams/harbor"]);
  expect([shownStream(both, "send"), shownStream(pushed, "send")]).toEqual(["live/desk", "live/desk"]);
});

it("a stream is named without the proof that may follow its name, and a level with its unit", () => {
  expect(streamName({ app: "live", name: "harbor?token=secret" })).toBe("live/harbor");
  expect([-20.6, 0, -0.2].map(decibelText)).toEqual(["−21\u2009dB", "0\u2009dB", "0\u2009dB"]);
});
