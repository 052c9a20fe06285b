// The way to the shell: one function per user intent, one subscription. Knows no screen and keeps no state.
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { ProblemView, SoundUse, StoredVoice, ViewModel } from "./generated/bindings";
import type { FeedSocket } from "./video/feed";

/** What a person types to sign in: a token, or a name with a password. */
export type SignIn = { server: string; token: string | null; user: string | null; password: string | null };

/** The names of a stream as a person types them. */
export type TypedStream = { vhost: string; app: string; name: string };

/** Where the pictures come from, and the proof that this page may have them. */
export type VideoFeedAddress = { url: string; token: string };

/** The shell as the page sees it. A command rejects with a `Refusal` when it was not accepted. */
export interface Backend {
  current(): Promise<ViewModel>;
  /** Calls `seen` with every whole view model from now on; the returned function ends it. */
  subscribe(seen: (view: ViewModel) => void): Promise<() => void>;
  placeCall(to: string, video: boolean): Promise<void>;
  /** Plays or pushes a stream of the media server that has this room; an empty `vhost` is the server's own. */
  placeStreamCall(to: string, push: boolean, stream: TypedStream): Promise<void>;
  /** Pushes one stream and plays another of the media server that has this room, as one call. */
  placeTwoWayCall(to: string, push: TypedStream, play: TypedStream): Promise<void>;
  accept(video: boolean): Promise<void>;
  decline(): Promise<void>;
  hangUp(): Promise<void>;
  setMuted(muted: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  /** Cleans the own voice otherwise, now and after the next start. */
  setVoice(voice: StoredVoice): Promise<void>;
  /** Turns the own picture by 0, 90, 180 or 270 degrees clockwise, now and after the next start. */
  setCameraRotation(degrees: number): Promise<void>;
  /** Presses keys of a telephone: 0 to 9, `*`, `#`. */
  sendDigits(digits: string): Promise<void>;
  /** The page shows the devices for sound, or no longer: the microphone is open meanwhile. */
  showSound(shown: boolean): Promise<void>;
  /** Uses another device, a device spec; `null` lets the ring be heard on the speaker. */
  setSoundDevice(used: SoundUse, spec: string | null): Promise<void>;
  setRingVolume(percent: number): Promise<void>;
  /** Plays a sound where the voices are heard, or where calls ring. */
  testSound(used: SoundUse): Promise<void>;
  /** Loses so many percent of the own voice on purpose, in the echo test. */
  setVoiceLoss(percent: number): Promise<void>;
  silence(): Promise<void>;
  dismissEnded(): Promise<void>;
  dismissNotice(id: number): Promise<void>;
  /** Looks for users of the server by name; an empty text ends the search. */
  search(keyword: string): Promise<void>;
  setContact(id: string, contact: boolean): Promise<void>;
  signIn(account: SignIn): Promise<void>;
  useEmbedded(): Promise<void>;
  /** Reads a link that was pasted and has the window ask about it. */
  openInvitation(link: string): Promise<void>;
  acceptInvitation(video: boolean): Promise<void>;
  dismissInvitation(): Promise<void>;
  retryNow(): Promise<void>;
  videoFeed(): Promise<VideoFeedAddress>;
  openVideoSocket(url: string): FeedSocket;
}

/** Why a command was not accepted. */
export type Refusal = ProblemView;

/** The code and small print of a rejected command, whatever the rejection was. */
export function refusalOf(rejected: unknown): Refusal {
  if (typeof rejected === "object" && rejected !== null && "code" in rejected) {
    const detail = "detail" in rejected ? String(rejected.detail) : "";
    return { code: String(rejected.code), detail };
  }
  return { code: "internal", detail: rejected instanceof Error ? rejected.message : String(rejected) };
}

/** The backend inside the Tauri window. */
export function tauriBackend(): Backend {
  return {
    current: () => invoke<ViewModel>("current"),
    subscribe: (seen) => listen<ViewModel>("view", (event) => seen(event.payload)),
    placeCall: (to, video) => invoke("place_call", { to, video }),
    placeStreamCall: (to, push, stream) => invoke("place_stream_call", { to, push, stream }),
    placeTwoWayCall: (to, push, play) => invoke("place_two_way_call", { to, push, play }),
    accept: (video) => invoke("accept", { video }),
    decline: () => invoke("decline"),
    hangUp: () => invoke("hang_up"),
    setMuted: (muted) => invoke("set_muted", { muted }),
    setCamera: (on) => invoke("set_camera", { on }),
    setVoice: (voice) => invoke("set_voice", { voice }),
    setCameraRotation: (degrees) => invoke("set_camera_rotation", { degrees }),
    sendDigits: (digits) => invoke("send_digits", { digits }),
    showSound: (shown) => invoke("show_sound", { shown }),
    setSoundDevice: (used, spec) => invoke("set_sound_device", { used, spec }),
    setRingVolume: (percent) => invoke("set_ring_volume", { percent }),
    testSound: (used) => invoke("test_sound", { used }),
    setVoiceLoss: (percent) => invoke("set_voice_loss", { percent }),
    silence: () => invoke("silence"),
    dismissEnded: () => invoke("dismiss_ended"),
    dismissNotice: (id) => invoke("dismiss_notice", { id }),
    search: (keyword) => invoke("search", { keyword }),
    setContact: (id, contact) => invoke("set_contact", { id, contact }),
    signIn: (account) => invoke("sign_in", { ...account }),
    useEmbedded: () => invoke("use_embedded"),
    openInvitation: (link) => invoke("open_invitation", { link }),
    acceptInvitation: (video) => invoke("accept_invitation", { video }),
    dismissInvitation: () => invoke("dismiss_invitation"),
    retryNow: () => invoke("retry_now"),
    videoFeed: () => invoke<VideoFeedAddress>("video_feed"),
    openVideoSocket: (url) => {
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      return socket;
    },
  };
}
