// Every screen from its fixture: what a person reads, finds by name, and can press.
import { fireEvent, screen, within } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FIXTURES } from "./testing/fixtures";
import { renderApp, settle, viewOf } from "./testing/render_app";

const shownScreen = (): string | undefined => document.querySelector<HTMLElement>("[data-screen]")?.dataset["screen"];
const buttons = (): string[] => screen.getAllByRole("button").map((button) => button.getAttribute("aria-label") ?? button.textContent.trim());

describe.each(FIXTURES)("%s", (name) => {
  it.each(["en", "zh"] as const)("names every control, in %s", async (language) => {
    await renderApp(viewOf(name, language === "zh"), language);
    expect(shownScreen()).toBeDefined();
    const controls = document.querySelectorAll("button, input, canvas, [role=img]:not([aria-hidden])");
    for (const control of controls) {
      const label = control.getAttribute("aria-label") ?? control.closest("label")?.textContent ?? control.textContent;
      expect(label.trim(), control.outerHTML).not.toBe("");
    }
  });

  it("hides its icons from readers and has unique ids", async () => {
    await renderApp(viewOf(name));
    for (const icon of document.querySelectorAll("svg")) {
      expect(icon.getAttribute("aria-hidden") === "true" || icon.getAttribute("role") === "img", icon.outerHTML).toBe(true);
    }
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("people", () => {
  it("are called by their buttons, as audio or video", async () => {
    const backend = await renderApp(viewOf("people"));
    await fireEvent.click(screen.getByRole("button", { name: "Call Maya Lindqvist" }));
    await fireEvent.click(screen.getByRole("button", { name: "Video call Echo test" }));
    expect(backend.asked).toEqual(["place_call 2 audio", "place_call 9000 video"]);
  });

  it("are found by typing, and an id can be dialled", async () => {
    const backend = await renderApp(viewOf("people"));
    const search = screen.getByRole("textbox", { name: "Search or dial an id" });
    await fireEvent.input(search, { target: { value: "tomas" } });
    expect(within(screen.getByRole("list", { name: "People" })).getAllByRole("listitem")).toHaveLength(1);
    await fireEvent.input(search, { target: { value: "42" } });
    await fireEvent.click(screen.getByRole("button", { name: "Call id 42" }));
    expect(backend.asked).toEqual(["place_call 42 audio"]);
  });

  it("cannot be called while the server is away", async () => {
    const backend = await renderApp(viewOf("people_offline"));
    expect(screen.getByRole("button", { name: "Call Maya Lindqvist" })).toHaveProperty("disabled", true);
    expect(screen.getByText("The server does not answer")).toBeDefined();
    await fireEvent.click(screen.getByRole("button", { name: "Try now" }));
    expect(backend.asked).toEqual(["retry_now"]);
  });

  it("of the past are listed with why each call ended", async () => {
    await renderApp(viewOf("people"));
    expect(screen.getByText("Missed video call")).toBeDefined();
    await fireEvent.click(screen.getByRole("tab", { name: /^Missed/ }));
    const names = [...document.querySelectorAll("main li")].map((row) => row.textContent.includes("Missed"));
    expect(names).toEqual([true, true]);
  });
});

describe("ringing", () => {
  it("offers video, audio and no, and takes no button's focus", async () => {
    const backend = await renderApp(viewOf("incoming"));
    expect(buttons()).toEqual(["Silence", "Accept with video", "Audio only", "Decline"]);
    expect(document.activeElement).toBe(screen.getByRole("alertdialog", { name: "Maya Lindqvist" }));
    await fireEvent.click(screen.getByRole("button", { name: "Silence" }));
    expect(screen.getByRole("button", { name: "Silenced" })).toHaveProperty("disabled", true);
    await fireEvent.click(screen.getByRole("button", { name: "Audio only" }));
    expect(backend.asked).toEqual(["silence", "accept audio"]);
  });

  it("of an audio call offers no video", async () => {
    await renderApp(viewOf("incoming_audio"));
    expect(buttons()).toEqual(["Silence", "Accept", "Decline"]);
  });

  it("shows no picture and promises that nothing is sent", async () => {
    await renderApp(viewOf("incoming"));
    expect(document.querySelector("canvas")).toBeNull();
    expect(screen.getByText(/Nothing is sent/)).toBeDefined();
  });

  it("out shows how far the call is", async () => {
    await renderApp(viewOf("outgoing"));
    const steps = within(screen.getByRole("list", { name: "How far the call is" })).getAllByRole("listitem");
    expect(steps.map((step) => step.className.includes("good"))).toEqual([true, false, false]);
    expect(screen.getByText("Only you see this")).toBeDefined();
  });
});

describe("in a video call", () => {
  it("only controls that work are shown", async () => {
    await renderApp(viewOf("call_video"));
    const bar = within(screen.getByRole("toolbar", { name: "Call controls" })).getAllByRole("button");
    expect(bar.map((button) => button.getAttribute("aria-label"))).toEqual([
      "Mute (M)",
      "Stop camera (V)",
      "Hang up (Ctrl+Shift+H)",
    ]);
    expect(bar.map((button) => button.tabIndex)).toEqual([0, -1, -1]);
  });

  it("both pictures are there and both receipts", async () => {
    await renderApp(viewOf("call_video"));
    expect([...document.querySelectorAll("canvas")].map((canvas) => canvas.dataset["view"])).toEqual(["remote", "local"]);
    expect(screen.getByText("Hears you")).toBeDefined();
    expect(screen.getByText("Sees you")).toBeDefined();
  });

  it("no report is never green", async () => {
    const view = viewOf("call_video");
    if (view.call !== null) Object.assign(view.call, { hears: "unknown", sees: "unknown" });
    await renderApp(view);
    expect(screen.getByText("Not known yet")).toBeDefined();
    expect(document.querySelector('[data-receipt="yes"]')).toBeNull();
  });

  it("mute says what a press does, and the shell decides", async () => {
    const backend = await renderApp(viewOf("call_video"));
    await fireEvent.click(screen.getByRole("button", { name: "Mute (M)" }));
    await settle();
    expect(backend.asked).toEqual(["set_muted true"]);
    expect(screen.getByRole("button", { name: "Unmute (M)" }).getAttribute("aria-pressed")).toBe("true");
    expect(screen.getByText("You are muted")).toBeDefined();
  });

  it("a weak link has words and one thing to do", async () => {
    const backend = await renderApp(viewOf("call_weak"));
    expect(screen.getByText(/Your Wi-Fi loses 12\s%/)).toBeDefined();
    expect(screen.getByRole("img", { name: "you: weak, line: fine, other side: fine" })).toBeDefined();
    await fireEvent.click(screen.getByRole("button", { name: "Audio only" }));
    expect(backend.asked).toEqual(["set_camera false"]);
  });

  it("missing devices are told one at a time, the microphone first", async () => {
    const backend = await renderApp(viewOf("call_no_devices"));
    expect(document.querySelectorAll("[data-notice]")).toHaveLength(1);
    expect(screen.getByText("No microphone found")).toBeDefined();
    await fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
    await settle();
    expect(backend.asked).toEqual(["dismiss_notice 1"]);
    expect(screen.getByText("No camera found")).toBeDefined();
  });

  it("a lost connection is an alert with the way out", async () => {
    const backend = await renderApp(viewOf("call_reconnecting"));
    await fireEvent.click(within(screen.getByRole("alert")).getByRole("button", { name: "End call" }));
    expect(backend.asked).toEqual(["hang_up"]);
  });

  it("a side without a camera is named", async () => {
    await renderApp(viewOf("call_no_picture"));
    expect(screen.getByText("Maya shows no picture")).toBeDefined();
  });
});

it("an audio call has no camera control and says who hears whom", async () => {
  await renderApp(viewOf("call_audio"));
  expect(buttons()).toEqual(["Mute (M)", "Hang up (Ctrl+Shift+H)"]);
  expect(screen.getByText("Maya hears you")).toBeDefined();
  expect(screen.getByText("Speaking")).toBeDefined();
});

describe("an ended call", () => {
  it("says why, for how long, and offers another", async () => {
    const backend = await renderApp(viewOf("ended"));
    expect(screen.getByRole("heading", { name: "The connection was lost" })).toBeDefined();
    expect(screen.getByText(/6 min 52 s/)).toBeDefined();
    const again = screen.getByRole("button", { name: "Call again" });
    expect(document.activeElement).toBe(again);
    await fireEvent.click(again);
    await fireEvent.click(screen.getByRole("button", { name: "Close" }));
    expect(backend.asked).toEqual(["place_call 5 video", "dismiss_ended"]);
  });

  it("with an old app says what to do", async () => {
    await renderApp(viewOf("ended_too_old", true), "zh");
    expect(screen.getByRole("heading", { name: "林雅的应用版本太旧" })).toBeDefined();
  });
});

describe("trouble with the server", () => {
  afterEach(() => vi.useRealTimers());

  it("counts down between two view models", async () => {
    vi.useFakeTimers();
    await renderApp(viewOf("error_server"));
    expect(screen.getByText(/Trying again in 8\ss/)).toBeDefined();
    await vi.advanceTimersByTimeAsync(3000);
    expect(screen.getByText(/Trying again in 5\ss/)).toBeDefined();
    await vi.advanceTimersByTimeAsync(9000);
    expect(screen.getByText("Trying again…")).toBeDefined();
  });

  it("offers the built-in server, but not instead of itself", async () => {
    const backend = await renderApp(viewOf("error_server"));
    await fireEvent.click(screen.getByRole("button", { name: "Use the built-in server" }));
    expect(backend.asked).toEqual(["use_embedded"]);
    backend.show(viewOf("error_port"));
    await settle();
    expect(screen.getByText("Another program uses the built-in server's port")).toBeDefined();
    expect(screen.queryByRole("button", { name: "Use the built-in server" })).toBeNull();
  });
});
