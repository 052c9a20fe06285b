// Tells the shell while the devices for sound are on screen: it opens the microphone for as long as that.
import type { Session } from "./session.svelte";

/** To be called by a component that shows the devices. A window that nobody sees has the microphone closed too. */
export function whileSeen(session: Session): void {
  $effect(() => {
    const tell = (): void => void session.perform(session.backend.showSound(!document.hidden));
    tell();
    document.addEventListener("visibilitychange", tell);
    return () => {
      document.removeEventListener("visibilitychange", tell);
      void session.perform(session.backend.showSound(false));
    };
  });
}
