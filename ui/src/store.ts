// Holds the last view model and nothing else. The shell decides; this only remembers what it said last.
import { readable, type Readable } from "svelte/store";
import type { Backend } from "./backend";
import type { ViewModel } from "./generated/bindings";

/** The last view model, `null` until the first one arrives. */
export function viewStore(backend: Backend): Readable<ViewModel | null> {
  return readable<ViewModel | null>(null, (set) => {
    let stopped = false;
    let seen = false;
    let unsubscribe: (() => void) | null = null;
    const show = (view: ViewModel): void => {
      seen = true;
      if (!stopped) set(view);
    };
    // Subscribing comes first: a change between the two calls would be lost otherwise.
    const connect = async (): Promise<void> => {
      unsubscribe = await backend.subscribe(show);
      if (stopped) {
        unsubscribe();
        return;
      }
      const first = await backend.current();
      if (!seen) show(first);
    };
    connect().catch((rejected: unknown) => console.error("no view model from the shell", rejected));
    return () => {
      stopped = true;
      unsubscribe?.();
    };
  });
}
