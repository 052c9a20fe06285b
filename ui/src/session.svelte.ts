// What every component may use: the shell, the words, and the last command that was not accepted.
import { getContext, setContext } from "svelte";
import { refusalOf, type Backend, type Refusal } from "./backend";
import type { EndedView } from "./generated/bindings";
import type { Preferences } from "./preferences.svelte";
import { TEXTS, type Texts } from "./text";

/** The surroundings of a component. */
export class Session {
  /** The last command that was not accepted, until it is dismissed or another is accepted. */
  refusal: Refusal | null = $state(null);

  constructor(
    readonly backend: Backend,
    readonly preferences: Preferences,
  ) {}

  get texts(): Texts {
    return TEXTS[this.preferences.language];
  }

  /** Calls again as that call was: to talk, or for its stream or both. */
  callBack({ peer, stream, video }: Pick<EndedView, "peer" | "stream" | "video">): void {
    const { backend } = this;
    if (stream === null) void this.perform(backend.placeCall(peer.id, video));
    else if (stream.played === null) void this.perform(backend.placeStreamCall(peer.id, stream.push, stream));
    else void this.perform(backend.placeTwoWayCall(peer.id, stream, { vhost: stream.vhost, ...stream.played }));
  }

  /** Sends a command; a refusal is kept for showing. Resolves to whether it was accepted. */
  async perform(command: Promise<void>): Promise<boolean> {
    try {
      await command;
      this.refusal = null;
      return true;
    } catch (rejected) {
      this.refusal = refusalOf(rejected);
      return false;
    }
  }
}

const KEY = Symbol("session");

export function provideSession(session: Session): void {
  setContext(KEY, session);
}

export function useSession(): Session {
  return getContext<Session>(KEY);
}
