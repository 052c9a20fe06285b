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

  it("are rooms on a server of rooms, and any other can be named", async () => {
    vi.useFakeTimers();
    const backend = await renderApp(viewOf("rooms"));
    await fireEvent.click(screen.getByRole("button", { name: "Call engine-room" }));
    const search = screen.getByRole("textbox", { name: "Search or name a room" });
    await fireEvent.input(search, { target: { value: "quiet-cabin-7f3a" } });
    await vi.advanceTimersByTimeAsync(1000);
    await fireEvent.click(screen.getByRole("button", { name: "Call the room quiet-cabin-7f3a" }));
    expect(backend.asked, "nobody is looked for").toEqual([
      "place_call engine-room audio",
      "place_call quiet-cabin-7f3a audio",
    ]);
    vi.useRealTimers();
  });

  it("beyond the list are looked for on the server, called and added", async () => {
    vi.useFakeTimers();
    const backend = await renderApp(viewOf("people_search"));
    const search = screen.getByRole("textbox", { name: "Search or dial an id" });
    await fireEvent.input(search, { target: { value: "m" } });
    await vi.advanceTimersByTimeAsync(400);
    expect(backend.asked, "one letter finds everybody").toEqual([]);
    await fireEvent.input(search, { target: { value: "ma" } });
    await vi.advanceTimersByTimeAsync(299);
    expect(backend.asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(backend.asked).toEqual(["search ma"]);
    const others = within(screen.getByRole("list", { name: "Others on this server" }));
    expect(others.getAllByRole("listitem")).toHaveLength(2);
    await fireEvent.click(others.getByRole("button", { name: "Call Mara Okafor" }));
    await fireEvent.click(others.getByRole("button", { name: "Add Martin Haas to your people" }));
    await fireEvent.click(screen.getByRole("button", { name: "Remove Maya Lindqvist from your people" }));
    await fireEvent.input(search, { target: { value: "" } });
    await vi.advanceTimersByTimeAsync(300);
    expect(backend.asked.slice(1)).toEqual(["place_call 31 audio", "set_contact 44 true", "set_contact 2 false", "search "]);
    expect(screen.queryByRole("button", { name: /your people/ })).toBeNull();
    vi.useRealTimers();
  });

  it("are told what a server without features means, and may put it away", async () => {
    const backend = await renderApp(viewOf("people_basic"));
    expect(screen.getByText("This server can do the least")).toBeDefined();
    await fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
    expect(backend.asked).toEqual(["dismiss_notice 1"]);
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

describe("a stream of a media server", () => {
  const fill = (name: string, value: string): Promise<boolean> =>
    fireEvent.input(screen.getByRole(name === "Room" ? "combobox" : "textbox", { name }), { target: { value } });

  it("is played or pushed by its names, the virtual host being the server's own", async () => {
    const backend = await renderApp(viewOf("rooms"));
    const opener = screen.getByRole("button", { name: "Stream…" });
    await fireEvent.click(opener);
    await settle();
    const dialog = within(screen.getByRole("dialog", { name: "A stream of a media server" }));
    expect(document.activeElement).toBe(dialog.getByRole("combobox", { name: "Room" }));
    await fireEvent.click(dialog.getByRole("button", { name: "Play" }));
    expect(backend.asked, "names are missing").toEqual([]);
    await fill("Room", "harbor-cam");
    await fill("Stream", "harbor");
    await fireEvent.click(dialog.getByRole("button", { name: "Push" }));
    await settle();
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(document.activeElement).toBe(screen.getByRole("button", { name: "Stream…" }));
    await fireEvent.click(screen.getByRole("button", { name: "Stream…" }));
    await settle();
    await fill("Room", "harbor-cam");
    await fill("Application", "cams");
    await fill("Stream", "1");
    await fill("Virtual host", "v");
    await fireEvent.submit(document.querySelector("form") as HTMLFormElement);
    expect(backend.asked).toEqual(["place_stream_call harbor-cam push /live/harbor", "place_stream_call harbor-cam play v/cams/1"]);
  });

  it("is pushed while another is played, as one call", async () => {
    const backend = await renderApp(viewOf("rooms"));
    await fireEvent.click(screen.getByRole("button", { name: "Stream…" }));
    await settle();
    await fill("Room", "harbor-cam");
    await fill("Stream", "bridge");
    const both = screen.getByRole("button", { name: "Both ways" });
    await fireEvent.click(both);
    expect(backend.asked, "the other side's is missing").toEqual([]);
    expect(both.getAttribute("aria-disabled")).toBe("true");
    await fill("Their stream", "harbor");
    await fireEvent.click(both);
    await settle();
    expect(backend.asked).toEqual(["place_two_way_call harbor-cam push /live/bridge play /live/harbor"]);
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("both ways has one bar and one picture of each side", async () => {
    const backend = await renderApp(viewOf("stream_two_way"));
    expect(screen.getByRole("main", { name: "Stream live/harbor" })).toBeDefined();
    expect(screen.getByText("Both ways with harbor-cam, as live/bridge")).toBeDefined();
    expect([...document.querySelectorAll("canvas")].map((canvas) => canvas.dataset["view"]).toSorted()).toEqual(["local", "remote"]);
    const bar = within(screen.getByRole("toolbar")).getAllByRole("button");
    expect(bar.map((button) => button.dataset["control"])).toEqual(["mute", "camera", "devices", "hang-up"]);
    await fireEvent.click(screen.getByRole("button", { name: "Hang up (Ctrl+Shift+H)" }));
    expect(backend.asked).toEqual(["hang_up"]);
  });

  it("both ways of which one is over says which, why, and what to do", async () => {
    const backend = await renderApp(viewOf("stream_half"));
    const notice = within(document.querySelector<HTMLElement>("[data-notice='push_ended']") as HTMLElement);
    expect(notice.getByText("You are no longer being sent").parentElement?.textContent).toContain("Somebody else sent this stream. ");
    await fireEvent.click(notice.getByRole("button", { name: "End call" }));
    expect(backend.asked).toEqual(["hang_up"]);
  });

  it("both ways is called again both ways", async () => {
    const view = viewOf("ended_stream");
    const stream = { push: true, vhost: "v", app: "live", name: "bridge", played: { app: "live", name: "harbor" } };
    const backend = await renderApp({ ...view, ended: view.ended && { ...view.ended, stream } });
    await fireEvent.click(screen.getByRole("button", { name: "Call again" }));
    expect(backend.asked).toEqual(["place_two_way_call harbor-cam push v/live/bridge play v/live/harbor"]);
  });

  it("that is refused says so in the form", async () => {
    const backend = await renderApp(viewOf("rooms"));
    await fireEvent.click(screen.getByRole("button", { name: "Stream…" }));
    await settle();
    backend.refuse = { code: "stream_unusable", detail: "" };
    await fill("Room", "harbor-cam");
    await fill("Stream", "x");
    await fireEvent.click(screen.getByRole("button", { name: "Play" }));
    await settle();
    expect(screen.getByRole("alert").textContent).toContain("cannot have such a name");
    await fireEvent.keyDown(screen.getByRole("dialog"), { key: "Escape" });
    await settle();
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("is offered only by servers of rooms", async () => {
    await renderApp(viewOf("people"));
    expect(screen.queryByRole("button", { name: "Stream…" })).toBeNull();
  });

  it("that is played shows its picture alone, with nothing to mute", async () => {
    const backend = await renderApp(viewOf("stream_play"));
    expect(screen.getByRole("main", { name: "Stream live/harbor" })).toBeDefined();
    expect([...document.querySelectorAll("canvas")].map((canvas) => canvas.dataset["view"])).toEqual(["remote"]);
    expect(screen.getByText("Playing from harbor-cam")).toBeDefined();
    const bar = within(screen.getByRole("toolbar")).getAllByRole("button");
    expect(bar.map((button) => button.getAttribute("aria-label"))).toEqual(["Devices (D)", "Hang up (Ctrl+Shift+H)"]);
    await fireEvent.keyDown(document.body, { key: "m" });
    await fireEvent.keyDown(document.body, { key: "v" });
    await fireEvent.keyDown(document.body, { key: "d" });
    await settle();
    const panel = within(screen.getByRole("dialog", { name: "Devices" }));
    expect(panel.getAllByRole("radiogroup").map((group) => group.textContent.includes("Speaker"))).toEqual([true]);
    expect(backend.asked).toEqual(["show_sound true"]);
  });

  it("that has ended in silence is said, with the way out", async () => {
    const backend = await renderApp(viewOf("stream_silent"));
    expect(screen.getByText("The stream has stopped")).toBeDefined();
    expect(screen.getByText("The stream brings no picture")).toBeDefined();
    await fireEvent.click(screen.getByRole("button", { name: "Stop" }));
    expect(backend.asked).toEqual(["hang_up"]);
  });

  it("that comes without sound says so and goes on", async () => {
    const backend = await renderApp(viewOf("stream_without_sound"));
    expect(screen.getByText("This stream has no sound here")).toBeDefined();
    expect(document.querySelector<HTMLElement>("[data-notice]")?.dataset["notice"]).toBe("stream_without_sound");
    await fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
    expect(backend.asked).toEqual(["dismiss_notice 1"]);
  });

  it("whose server answers no more is said to have stopped, and not to be looked for", async () => {
    const view = viewOf("stream_silent");
    await renderApp({ ...view, call: view.call === null ? null : { ...view.call, state: "reconnecting" } });
    expect(document.querySelector<HTMLElement>("[data-notice]")?.dataset["notice"]).toBe("stream_silent");
  });

  it("that is pushed shows the own picture and can be muted", async () => {
    await renderApp(viewOf("stream_push"));
    expect([...document.querySelectorAll("canvas")].map((canvas) => canvas.dataset["view"])).toEqual(["local"]);
    expect(screen.getByText("Sending to harbor-cam")).toBeDefined();
    expect(screen.getByRole("button", { name: "Mute (M)" })).toBeDefined();
    expect(screen.queryByRole("button", { name: "Keypad (K)" })).toBeNull();
  });

  it("that could not be played is tried again as a stream", async () => {
    const backend = await renderApp(viewOf("ended_stream"));
    expect(screen.getByText(/live\/harbor/)).toBeDefined();
    await fireEvent.click(screen.getByRole("button", { name: "Call again" }));
    expect(backend.asked).toEqual(["place_stream_call harbor-cam play __defaultVhost__/live/harbor"]);
  });
});

describe("an invitation", () => {
  it("asks first, names server and room, and Enter alone calls nobody", async () => {
    const backend = await renderApp(viewOf("invitation"));
    const dialog = screen.getByRole("alertdialog", { name: "Follow this invitation?" });
    expect(dialog.textContent).toContain("quiet-cabin-7f3a");
    expect(dialog.textContent).toContain("media.harbor.example");
    expect(dialog.textContent).toContain("you sign out here: built-in server");
    expect(document.activeElement).toBe(within(dialog).getByRole("button", { name: "Cancel" }));
    expect(document.querySelector<HTMLElement>(".under")?.inert).toBe(true);
    await fireEvent.keyDown(document.body, { key: "/" });
    expect(backend.asked).toEqual([]);
    await fireEvent.click(within(dialog).getByRole("button", { name: "Call" }));
    await settle();
    expect(backend.asked).toEqual(["accept_invitation audio"]);
    expect(screen.queryByRole("alertdialog")).toBeNull();
  });

  it("over an open network says so, and Escape declines it", async () => {
    const backend = await renderApp(viewOf("invitation_plain"));
    expect(screen.getByText(/is not encrypted/)).toBeDefined();
    await fireEvent.keyDown(screen.getByRole("alertdialog"), { key: "Escape" });
    expect(backend.asked).toEqual(["dismiss_invitation"]);
  });

  it("that is none says why and offers no call", async () => {
    await renderApp(viewOf("invitation_unreadable"));
    const dialog = screen.getByRole("alertdialog", { name: "This invitation cannot be followed" });
    expect(dialog.textContent).toContain("leads to no server of rooms");
    expect(within(dialog).getAllByRole("button").map((button) => button.textContent.trim())).toEqual(["Close"]);
  });

  it("waits until a call is over", async () => {
    const call = viewOf("call_video");
    const backend = await renderApp({ ...call, invitation: viewOf("invitation").invitation });
    expect(screen.queryByRole("alertdialog")).toBeNull();
    backend.show(viewOf("invitation"));
    await settle();
    expect(screen.getByRole("alertdialog")).toBeDefined();
  });

  it("is pasted where one signs in, and what is none is said there", async () => {
    const backend = await renderApp(viewOf("first_start"));
    const field = screen.getByRole("textbox", { name: "Paste an invitation" });
    await fireEvent.input(field, { target: { value: "ahoy:room?x" } });
    backend.refuse = { code: "invitation_incomplete", detail: "" };
    await fireEvent.click(screen.getByRole("button", { name: "Open" }));
    await settle();
    expect(backend.asked).toEqual(["open_invitation ahoy:room?x"]);
    expect(screen.getByRole("alert").textContent).toContain("does not say one server and one room");
  });

  it("that is pasted into the search is no name of a room", async () => {
    const backend = await renderApp(viewOf("rooms"));
    const search = screen.getByRole("textbox", { name: "Search or name a room" });
    await fireEvent.input(search, { target: { value: "ahoy:room?server=wss://h/signaling&room=a" } });
    expect(screen.queryByRole("button", { name: /Call the room/ })).toBeNull();
    await fireEvent.click(screen.getByRole("button", { name: "Open this invitation" }));
    expect(backend.asked).toEqual(["open_invitation ahoy:room?server=wss://h/signaling&room=a"]);
  });

  it("to the own room is copied", async () => {
    const writeText = vi.fn(() => Promise.resolve());
    Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText } });
    const view = viewOf("rooms");
    await renderApp(view);
    await fireEvent.click(screen.getByRole("button", { name: "Copy invitation" }));
    await settle();
    expect(writeText).toHaveBeenCalledWith(view.server.invitation);
    expect(screen.getByText("Copied")).toBeDefined();
  });

  it("that cannot be copied is not said to be", async () => {
    const writeText = (): Promise<void> => Promise.reject(new Error("denied"));
    Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText } });
    await renderApp(viewOf("rooms"));
    await fireEvent.click(screen.getByRole("button", { name: "Copy invitation" }));
    await settle();
    expect(screen.getByText("Could not be copied")).toBeDefined();
  });

  it("is offered for nobody's room on a server of users", async () => {
    await renderApp(viewOf("people"));
    expect(screen.queryByRole("button", { name: "Copy invitation" })).toBeNull();
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
      "Devices (D)",
      "Keypad (K)",
      "Hang up (Ctrl+Shift+H)",
    ]);
    expect(bar.map((button) => button.tabIndex)).toEqual([0, -1, -1, -1, -1]);
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

  it("the echo test says how it goes and loses as much as is asked", async () => {
    const backend = await renderApp(viewOf("call_echo"));
    expect(screen.getByText(/After the two notes, speak/)).toBeDefined();
    const slider = screen.getByRole("slider", { name: /Simulated packet loss/ });
    expect(slider.getAttribute("aria-valuetext")).toBe("20\u2009%");
    await fireEvent.input(slider, { target: { value: "35" } });
    await settle();
    expect(backend.asked).toEqual(["set_voice_loss 35"]);
    expect(slider.getAttribute("aria-valuetext")).toBe("35\u2009%");
  });

  it("who talks while muted is told, and unmutes with one press", async () => {
    const backend = await renderApp(viewOf("call_talking_muted"));
    const notice = document.querySelector('[data-notice="talking_muted"]');
    expect(notice?.getAttribute("role")).toBe("status");
    await fireEvent.click(screen.getByRole("button", { name: "Unmute" }));
    expect(backend.asked).toEqual(["set_muted false"]);
  });

  it("a silent microphone is told with the likely cause", async () => {
    await renderApp(viewOf("call_microphone_silent"));
    expect(screen.getByText("Your microphone is silent")).toBeDefined();
    expect(screen.getByText(/Its own mute button may be on/)).toBeDefined();
  });

  it("each switch of the voice works in the call and changes itself alone", async () => {
    const backend = await renderApp(viewOf("call_video"));
    await fireEvent.keyDown(document.body, { key: "d" });
    await settle();
    const panel = within(screen.getByRole("dialog", { name: "Devices" }));
    await fireEvent.click(panel.getByRole("radio", { name: "All" }));
    await settle();
    await fireEvent.click(panel.getByRole("checkbox", { name: "Cancel echo" }));
    await settle();
    await fireEvent.click(panel.getByRole("checkbox", { name: "Cut low rumble" }));
    await settle();
    expect(backend.asked).toEqual([
      "show_sound true",
      "set_voice strong true true true",
      "set_voice strong false true true",
      "set_voice strong false true false",
    ]);
  });

  it("another microphone and speaker are one press each, and Escape leads back to the bar", async () => {
    const backend = await renderApp(viewOf("call_audio"));
    const opener = screen.getByRole("button", { name: "Devices (D)" });
    await fireEvent.click(opener);
    await settle();
    const dialog = screen.getByRole("dialog", { name: "Devices" });
    expect(document.activeElement).toBe(dialog);
    await fireEvent.click(within(within(dialog).getByRole("radiogroup", { name: "Microphone" })).getByRole("radio", { name: /Jabra/ }));
    await fireEvent.click(within(within(dialog).getByRole("radiogroup", { name: "Speaker" })).getByRole("radio", { name: /Same as system/ }));
    await settle();
    expect(within(dialog).getByRole("meter").getAttribute("aria-valuetext")).toBe("−20\u2009dB");
    await fireEvent.keyDown(dialog, { key: "Escape" });
    await settle();
    expect(document.activeElement).toBe(opener);
    expect(backend.asked).toEqual([
      "show_sound true",
      "set_sound_device microphone mic:jabra",
      "set_sound_device speaker default",
      "show_sound false",
    ]);
  });

  it("the keypad sends each key, pressed or typed, and Escape closes it alone", async () => {
    const backend = await renderApp(viewOf("call_video"));
    await fireEvent.keyDown(document.body, { key: "k" });
    await settle();
    const keypad = screen.getByRole("dialog", { name: "Keypad" });
    const keys = within(keypad).getAllByRole("button").map((key) => key.getAttribute("aria-label"));
    expect(keys).toHaveLength(13);
    expect(keys.slice(-3)).toEqual(["Star", "Key 0", "Hash"]);
    await fireEvent.click(within(keypad).getByRole("button", { name: "Key 7" }));
    await fireEvent.keyDown(keypad, { key: "#" });
    await fireEvent.keyDown(document.body, { key: "2" });
    await fireEvent.keyDown(document.body, { key: "2", ctrlKey: true });
    await settle();
    expect(within(keypad).getByRole("status", { name: "Keys pressed" }).textContent).toBe("7#2");
    await fireEvent.keyDown(keypad, { key: "Escape" });
    await settle();
    expect(document.activeElement).toBe(screen.getByRole("button", { name: "Keypad (K)" }));
    await fireEvent.keyDown(document.body, { key: "2" });
    expect(backend.asked).toEqual(["send_digits 7", "send_digits #", "send_digits 2"]);
  });

  it("a key that was not taken is not shown as pressed", async () => {
    const backend = await renderApp(viewOf("call_video"));
    await fireEvent.click(screen.getByRole("button", { name: "Keypad (K)" }));
    await settle();
    backend.refuse = { code: "too_many_digits", detail: "" };
    await fireEvent.click(screen.getByRole("button", { name: "Key 1" }));
    await settle();
    expect(screen.getByRole("status", { name: "Keys pressed" }).textContent).toBe("");
    expect(screen.getByText(/Too many keys at once/)).toBeDefined();
  });

  it("whose other side takes no keys says so at a keypad that does not open", async () => {
    const connecting = viewOf("call_connecting");
    const backend = await renderApp(connecting);
    expect(screen.getByRole("button", { name: "Keypad (K)", description: "Connecting…" })).toBeDefined();
    backend.show(viewOf("call_no_keypad"));
    await settle();
    const button = screen.getByRole("button", { name: "Keypad (K)", description: "The other side takes no keys of a telephone." });
    expect(button.getAttribute("aria-disabled")).toBe("true");
    await fireEvent.click(button);
    await fireEvent.keyDown(document.body, { key: "k" });
    await settle();
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("nobody else is told of the echo test", async () => {
    await renderApp(viewOf("call_video"));
    expect(document.querySelector('[data-region="echo"]')).toBeNull();
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

  it("a server that is away ends nothing and can be tried at once", async () => {
    const backend = await renderApp(viewOf("call_server_away"));
    expect(screen.getByText("The server is away, the call goes on")).toBeDefined();
    await fireEvent.click(screen.getByRole("button", { name: "Try now" }));
    expect(backend.asked).toEqual(["retry_now"]);
  });

  it("a side without a camera is named", async () => {
    await renderApp(viewOf("call_no_picture"));
    expect(screen.getByText("Maya shows no picture")).toBeDefined();
  });
});

it("an audio call can become one with pictures and says who hears whom", async () => {
  await renderApp(viewOf("call_audio"));
  expect(buttons()).toEqual(["Direct, encrypted. Check code", "Mute (M)", "Start camera (V)", "Devices (D)", "Keypad (K)", "Hang up (Ctrl+Shift+H)"]);
  expect(screen.getByText("Maya hears you")).toBeDefined();
  expect(screen.getByText("Speaking")).toBeDefined();
});

describe("the settings of sound", () => {
  const open = async (name: string): Promise<Awaited<ReturnType<typeof renderApp>>> => {
    const backend = await renderApp(viewOf(name));
    await fireEvent.click(screen.getByRole("button", { name: "Preferences" }));
    await fireEvent.click(screen.getByRole("button", { name: "Sound, voice and camera…" }));
    await settle();
    return backend;
  };

  it("have the microphone open for as long as they are seen", async () => {
    const backend = await open("settings");
    const meter = screen.getByRole("meter", { name: "Input level" });
    expect(meter.getAttribute("aria-valuetext")).toBe("−21\u2009dB");
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    await fireEvent(document, new Event("visibilitychange"));
    hidden.mockRestore();
    await fireEvent(document, new Event("visibilitychange"));
    await settle();
    await fireEvent.keyDown(document.body, { key: "Escape" });
    await settle();
    expect(shownScreen()).toBe("people");
    expect(backend.asked).toEqual(["show_sound true", "show_sound false", "show_sound true", "show_sound false"]);
  });

  it("close the microphone when somebody calls, and are there again after it", async () => {
    const backend = await open("settings");
    backend.show(viewOf("incoming"));
    await settle();
    expect(backend.asked).toEqual(["show_sound true", "show_sound false"]);
    backend.show(viewOf("people"));
    await settle();
    expect(shownScreen()).toBe("settings");
  });

  it("choose each device, and where and how loudly it rings", async () => {
    const backend = await open("settings");
    await fireEvent.change(screen.getByRole("combobox", { name: "Microphone" }), { target: { value: "mic:jabra" } });
    await fireEvent.change(screen.getByRole("combobox", { name: "Speaker" }), { target: { value: "default" } });
    await fireEvent.change(screen.getByRole("combobox", { name: "Ring on" }), { target: { value: "" } });
    await fireEvent.change(screen.getByRole("slider", { name: "Volume" }), { target: { value: "40" } });
    await fireEvent.click(screen.getByRole("button", { name: "Play a test sound on the speaker" }));
    await fireEvent.click(screen.getByRole("button", { name: "Ring once to try it" }));
    await settle();
    expect(backend.asked.slice(1)).toEqual([
      "set_sound_device microphone mic:jabra",
      "set_sound_device speaker default",
      "set_sound_device ring null",
      "set_ring_volume 40",
      "test_sound speaker",
      "test_sound ring",
    ]);
  });

  it("turn the own picture by a right angle", async () => {
    const backend = await open("settings");
    const list = screen.getByRole("combobox", { name: "Turn the picture" });
    expect(within(list).getAllByRole("option").map((option) => option.textContent)).toEqual([
      "As it is",
      "90° clockwise",
      "180° clockwise",
      "270° clockwise",
    ]);
    await fireEvent.change(list, { target: { value: "270" } });
    await settle();
    expect(backend.asked.slice(1)).toEqual(["set_camera_rotation 270"]);
    expect((list as HTMLSelectElement).value).toBe("270");
  });

  it("say what keeps the microphone from being heard, and name one that is away", async () => {
    await open("settings_silent");
    expect(screen.queryByRole("meter")).toBeNull();
    expect(screen.getByText(/No microphone found/)).toBeDefined();
    const list = screen.getByRole("combobox", { name: "Microphone" });
    expect(within(list).getByRole("option", { name: "usb-gone · not found" })).toBeDefined();
  });

  it("say that a speaker to be tried is not there", async () => {
    const backend = await open("settings");
    backend.refuse = { code: "no_speaker", detail: "" };
    await fireEvent.click(screen.getByRole("button", { name: "Play a test sound on the speaker" }));
    await settle();
    expect(screen.getByText("No speaker found")).toBeDefined();
  });

  it("name every control, in Chinese too", async () => {
    await renderApp(viewOf("settings", true), "zh");
    await fireEvent.click(screen.getByRole("button", { name: "偏好设置" }));
    await fireEvent.click(screen.getByRole("button", { name: "声音、语音与摄像头…" }));
    await settle();
    for (const control of document.querySelectorAll("button, input, select, [role=meter]")) {
      const label = control.getAttribute("aria-label") ?? control.closest("label")?.textContent ?? control.textContent;
      expect(label.trim(), control.outerHTML).not.toBe("");
    }
  });
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

  it("that the server did not take says when the next one is taken", async () => {
    await renderApp(viewOf("ended_rate_limited"));
    expect(screen.getByRole("heading", { name: "Too many calls in a short time" })).toBeDefined();
    expect(screen.getByText(/Possible again in 42 s\./)).toBeDefined();
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

describe("the check code", () => {
  it("stands behind the way of the call, in groups, and Escape closes it without ending the call", async () => {
    const backend = await renderApp(viewOf("call_video"));
    const way = screen.getByRole("button", { name: "direct. Check code" });
    await fireEvent.click(way);
    const code = screen.getByRole("dialog", { name: "Check code" });
    expect(within(code).getAllByText(/^\d{5}$/u)).toHaveLength(6);
    await fireEvent.keyDown(way, { key: "Escape" });
    expect(screen.queryByRole("dialog", { name: "Check code" })).toBeNull();
    expect(document.activeElement).toBe(way);
    expect(backend.asked).toEqual([]);
  });
});
