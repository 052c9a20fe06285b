import { get } from "svelte/store";
import { expect, it } from "vitest";
import { viewStore } from "./store";
import { FakeBackend } from "./testing/fake_backend";
import { settle, viewOf } from "./testing/render_app";

it("shows the first view model and every one after it, until nobody looks", async () => {
  const backend = new FakeBackend(viewOf("people"));
  const seen: (string | null)[] = [];
  const stop = viewStore(backend).subscribe((view) => seen.push(view === null ? null : view.server.state));
  await settle();
  backend.show(viewOf("people_offline"));
  stop();
  backend.show(viewOf("people"));
  expect(seen).toEqual([null, "ready", "offline"]);
});

it("a change between subscribing and the first answer is not overwritten by that answer", async () => {
  const backend = new FakeBackend(viewOf("people"));
  const old = backend.current();
  backend.current = () => {
    backend.show(viewOf("people_offline"));
    return old;
  };
  const store = viewStore(backend);
  const stop = store.subscribe(() => undefined);
  await settle();
  expect(get(store)?.server.state).toBe("offline");
  stop();
});
