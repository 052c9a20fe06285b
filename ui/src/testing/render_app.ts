// Mounts the whole page over a fixture, for tests.
import { render } from "@testing-library/svelte";
import { tick } from "svelte";
import App from "../App.svelte";
import type { ViewModel } from "../generated/bindings";
import { Preferences } from "../preferences.svelte";
import { Session } from "../session.svelte";
import { viewStore } from "../store";
import { FakeBackend } from "./fake_backend";
import { fixture } from "./fixtures";

/** The view model of a fixture that must exist. */
export function viewOf(name: string, chinese = false): ViewModel {
  const view = fixture(name, chinese, Date.now());
  if (view === null) throw new Error(`there is no fixture ${name}`);
  return view;
}

/** Shows a view model and waits until it is drawn. */
export async function renderApp(view: ViewModel, language: "en" | "zh" = "en"): Promise<FakeBackend> {
  const media = { matches: false, addEventListener: () => undefined };
  const memory = { getItem: () => null, setItem: () => undefined };
  const preferences = new Preferences(memory, new URLSearchParams({ lang: language }), "en", () => media);
  const backend = new FakeBackend(view);
  render(App, { session: new Session(backend, preferences), store: viewStore(backend) });
  await settle();
  return backend;
}

/** Lets promises and effects run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await Promise.resolve();
    await tick();
  }
}
