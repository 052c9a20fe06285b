// The page of the fixtures: `fixtures.html?fixture=call_video&lang=zh&theme=dark`. Without a name it lists all.
import { mount } from "svelte";
import App from "../App.svelte";
import { Preferences } from "../preferences.svelte";
import { Session } from "../session.svelte";
import { viewStore } from "../store";
import "../styles/tokens.css";
import "../styles/base.css";
import { FakeBackend } from "./fake_backend";
import { fixture, FIXTURES } from "./fixtures";

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no #app");
const address = new URLSearchParams(location.search);
const view = fixture(address.get("fixture") ?? "", address.get("lang") === "zh", Date.now());
if (view === null) {
  const list = document.createElement("ul");
  for (const name of FIXTURES) {
    const link = document.createElement("a");
    link.href = `?fixture=${name}`;
    link.textContent = name;
    list.appendChild(document.createElement("li")).appendChild(link);
  }
  target.append(list);
} else {
  const forgetful = { getItem: () => null, setItem: () => undefined };
  const preferences = new Preferences(forgetful, address, navigator.language, (query) => matchMedia(query));
  const backend = new FakeBackend(view, true);
  mount(App, { target, props: { session: new Session(backend, preferences), store: viewStore(backend) } });
}
