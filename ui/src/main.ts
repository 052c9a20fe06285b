// Starts the page inside the window: connects the store to the shell and mounts the screens.
import { mount } from "svelte";
import App from "./App.svelte";
import { tauriBackend } from "./backend";
import { Preferences } from "./preferences.svelte";
import { Session } from "./session.svelte";
import { viewStore } from "./store";
import "./styles/tokens.css";
import "./styles/base.css";

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no #app");
const backend = tauriBackend();
const preferences = new Preferences(
  localStorage,
  new URLSearchParams(location.search),
  navigator.language,
  (query) => matchMedia(query),
);
mount(App, { target, props: { session: new Session(backend, preferences), store: viewStore(backend) } });
