// What spans screens: the keyboard, the focus, signing in, the language, refused commands.
import { fireEvent, screen } from "@testing-library/svelte";
import { expect, describe, it, vi } from "vitest";
import { tauriBackend, refusalOf } from "./backend";
import { renderApp, settle, viewOf } from "./testing/render_app";

const key = (name: string, held: KeyboardEventInit = {}): Promise<boolean> =>
  fireEvent.keyDown(document.activeElement ?? document.body, { key: name, ...held });

describe("the keyboard", () => {
  it("carries a whole call: accept, mute, camera, hang up", async () => {
    const backend = await renderApp(viewOf("incoming"));
    await key("Enter");
    await key("v");
    backend.show(viewOf("call_video"));
    await settle();
    await key("m");
    await key("v");
    await key("Escape");
    await key("H", { ctrlKey: true, shiftKey: true });
    expect(backend.asked).toEqual(["accept video", "set_muted true", "set_camera false", "hang_up"]);
  });

  it("Esc cancels a call that nobody answered, and silences one that rings", async () => {
    const backend = await renderApp(viewOf("outgoing"));
    await key("Escape");
    backend.show(viewOf("incoming"));
    await settle();
    await key("Escape");
    await key("Escape");
    expect(backend.asked).toEqual(["hang_up", "silence"]);
  });

  it("the slash leads to the search and is not typed", async () => {
    await renderApp(viewOf("people"));
    const untouched = await key("/");
    expect(untouched).toBe(false);
    expect(document.activeElement).toBe(screen.getByRole("textbox"));
  });

  it("the arrows move in the bar, which is one tab stop", async () => {
    await renderApp(viewOf("call_video"));
    const [mute, camera, end] = ["Mute (M)", "Stop camera (V)", "Hang up (Ctrl+Shift+H)"].map((name) =>
      screen.getByRole("button", { name }),
    );
    mute?.focus();
    await key("ArrowRight");
    expect(document.activeElement).toBe(camera);
    await key("End");
    expect(document.activeElement).toBe(end);
    const bar = [...document.querySelectorAll<HTMLElement>('[role="toolbar"] button')];
    expect(bar.map((control) => control.tabIndex)).toEqual([-1, -1, -1, -1, 0]);
    expect([mute?.tabIndex, end?.tabIndex]).toEqual([-1, 0]);
  });

  it("F6 goes from the notice to the own picture to the bar and round", async () => {
    await renderApp(viewOf("call_no_devices"));
    const stops: (string | undefined)[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      await key("F6");
      stops.push(document.activeElement?.closest<HTMLElement>("[data-region]")?.dataset["region"]);
    }
    expect(stops).toEqual(["notice", "self", "bar", "notice"]);
  });

  it("Alt and the arrows move the own picture", async () => {
    await renderApp(viewOf("call_video"));
    const tile = document.querySelector<HTMLElement>('[data-region="self"]');
    tile?.focus();
    await key("ArrowUp", { altKey: true });
    expect(tile?.className).toContain("top-right");
  });
});

it("the focus returns to the button a call was placed with", async () => {
  const people = viewOf("people");
  const backend = await renderApp(people);
  screen.getByRole("button", { name: "Video call Tomás Rocha" }).focus();
  backend.show(viewOf("outgoing"));
  await settle();
  expect(document.activeElement).toBe(screen.getByRole("main"));
  backend.show(viewOf("ended"));
  await settle();
  backend.show(people);
  await settle();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Video call Tomás Rocha" }));
});

describe("signing in", () => {
  it("to the built-in server takes one press", async () => {
    const backend = await renderApp(viewOf("first_start"));
    await fireEvent.click(screen.getByRole("button", { name: /On this computer/ }));
    expect(backend.asked).toEqual(["use_embedded"]);
  });

  it("takes an address with a token or a name with a password", async () => {
    const backend = await renderApp(viewOf("first_start"));
    await fireEvent.click(screen.getByRole("button", { name: /Sign in to an IM-Suite server/ }));
    await fireEvent.input(screen.getByLabelText("Server"), { target: { value: "im.harbor.example" } });
    const send = (): Promise<boolean> => fireEvent.submit(document.querySelector("form") as HTMLFormElement);
    await send();
    expect(backend.asked).toEqual([]);
    await fireEvent.input(screen.getByLabelText("Token"), { target: { value: " abc " } });
    await send();
    await settle();
    await fireEvent.click(screen.getByRole("radio", { name: "Name and password" }));
    await fireEvent.input(screen.getByLabelText("Name"), { target: { value: "maya" } });
    await fireEvent.input(screen.getByLabelText("Password"), { target: { value: " p w " } });
    await send();
    expect(backend.asked).toEqual([
      "sign_in wss://im.harbor.example/ws token abc",
      "sign_in wss://im.harbor.example/ws user maya  p w ",
    ]);
  });

  it("takes a room, or none, where the server has rooms", async () => {
    const backend = await renderApp(viewOf("error_room"));
    expect(screen.getByRole("alert").textContent).toContain("Somebody else has this room");
    expect(screen.queryByRole("radio")).toBeNull();
    const send = (): Promise<boolean> => fireEvent.submit(document.querySelector("form") as HTMLFormElement);
    await send();
    await settle();
    await fireEvent.input(screen.getByLabelText("Your room"), { target: { value: " bridge " } });
    await send();
    const server = "wss://media.harbor.example/signaling";
    expect(backend.asked).toEqual([`sign_in ${server} user  `, `sign_in ${server} user bridge `]);
  });

  it("with a token that ended says so at the token, until something is typed", async () => {
    await renderApp(viewOf("error_token"));
    const token = screen.getByLabelText(/^Token/);
    expect(token.getAttribute("aria-invalid")).toBe("true");
    expect(screen.getByRole("alert").textContent).toContain("This token has ended");
    await fireEvent.input(token, { target: { value: "new" } });
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("shows at the address that it is none", async () => {
    const backend = await renderApp(viewOf("error_token"));
    await fireEvent.input(screen.getByLabelText("Server"), { target: { value: "https://x" } });
    await fireEvent.input(screen.getByLabelText(/^Token/), { target: { value: "abc" } });
    await fireEvent.submit(document.querySelector("form") as HTMLFormElement);
    await settle();
    expect(backend.asked).toEqual([]);
    expect(screen.getByLabelText(/^Server/).getAttribute("aria-invalid")).toBe("true");
  });
});

it("a refused command is told, and gone when dismissed", async () => {
  const backend = await renderApp(viewOf("people"));
  backend.refuse = { code: "not_signed_in", detail: "" };
  await fireEvent.click(screen.getByRole("button", { name: "Call Maya Lindqvist" }));
  await settle();
  expect(screen.getByText("You are not signed in. Wait for the server.")).toBeDefined();
  await fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(document.querySelector("[data-notice]")).toBeNull();
});

it("the language and the look change in the preferences", async () => {
  await renderApp(viewOf("people"));
  await fireEvent.click(screen.getByRole("button", { name: "Preferences" }));
  await fireEvent.click(screen.getByRole("radio", { name: "中文" }));
  await fireEvent.click(screen.getByRole("radio", { name: "深色" }));
  expect(screen.getByRole("heading", { name: "最近通话" })).toBeDefined();
  expect(document.documentElement.lang).toBe("zh-CN");
  expect(document.documentElement.dataset["theme"]).toBe("dark");
});

describe("the backend of the window", () => {
  it("sends each command under the name and with the fields of the shell", async () => {
    const asked: [string, unknown][] = [];
    vi.stubGlobal("__TAURI_INTERNALS__", {
      invoke: (command: string, fields: unknown) => {
        asked.push([command, fields]);
        return Promise.resolve(null);
      },
    });
    const shell = tauriBackend();
    await shell.placeCall("2", true);
    await shell.accept(false);
    await shell.setMuted(true);
    await shell.setCamera(false);
    await shell.dismissNotice(3);
    await shell.signIn({ server: "wss://x/ws", token: null, user: "maya", password: "pw" });
    await shell.useEmbedded();
    vi.unstubAllGlobals();
    expect(asked).toEqual([
      ["place_call", { to: "2", video: true }],
      ["accept", { video: false }],
      ["set_muted", { muted: true }],
      ["set_camera", { on: false }],
      ["dismiss_notice", { id: 3 }],
      ["sign_in", { server: "wss://x/ws", token: null, user: "maya", password: "pw" }],
      ["use_embedded", {}],
    ]);
  });

  it("reads a refusal, and anything else as internal", () => {
    expect(refusalOf({ code: "no_call", detail: "d" })).toEqual({ code: "no_call", detail: "d" });
    expect(refusalOf("boom")).toEqual({ code: "internal", detail: "boom" });
  });
});
