// A shell without a shell: shows one view model, answers every command by changing it the way the real one would, and
// writes down what it was asked. Not part of the shipped page.
import type { Backend, TypedStream } from "../backend";
import type { SoundUse, StoredVoice, ViewModel } from "../generated/bindings";
import type { FeedSocket } from "../video/feed";
import { FakePictures } from "./fake_pictures";

/** A backend that is steered by a test or by a fixture. */
export class FakeBackend implements Backend {
  /** The commands so far, as `name argument argument`. */
  readonly asked: string[] = [];
  /** What the next commands are refused with. */
  refuse: { code: string; detail: string } | null = null;
  private readonly seers = new Set<(view: ViewModel) => void>();

  constructor(
    private view: ViewModel,
    private readonly pictures: boolean = false,
  ) {}

  show(view: ViewModel): void {
    this.view = view;
    for (const see of this.seers) see(view);
  }

  current(): Promise<ViewModel> {
    return Promise.resolve(this.view);
  }

  subscribe(seen: (view: ViewModel) => void): Promise<() => void> {
    this.seers.add(seen);
    return Promise.resolve(() => this.seers.delete(seen));
  }

  placeCall(to: string, video: boolean): Promise<void> {
    return this.take(`place_call ${to} ${video ? "video" : "audio"}`);
  }

  placeStreamCall(to: string, push: boolean, stream: TypedStream): Promise<void> {
    return this.take(`place_stream_call ${to} ${push ? "push" : "play"} ${stream.vhost}/${stream.app}/${stream.name}`);
  }

  placeTwoWayCall(to: string, push: TypedStream, play: TypedStream): Promise<void> {
    const [own, theirs] = [push, play].map(({ vhost, app, name }) => `${vhost}/${app}/${name}`);
    return this.take(`place_two_way_call ${to} push ${own} play ${theirs}`);
  }

  accept(video: boolean): Promise<void> {
    return this.take(`accept ${video ? "video" : "audio"}`);
  }

  decline(): Promise<void> {
    return this.take("decline", { call: null });
  }

  hangUp(): Promise<void> {
    return this.take("hang_up", { call: null });
  }

  setMuted(muted: boolean): Promise<void> {
    return this.take(`set_muted ${muted}`, this.inCall({ muted }));
  }

  setCamera(on: boolean): Promise<void> {
    return this.take(`set_camera ${on}`, this.inCall({ camera_on: on, camera: on ? "ok" : "off" }));
  }

  setVoice(voice: StoredVoice): Promise<void> {
    const words = [voice.noise_suppression, voice.echo_cancellation, voice.auto_gain_control, voice.high_pass];
    return this.take(`set_voice ${words.join(" ")}`, { voice });
  }

  setCameraRotation(degrees: number): Promise<void> {
    return this.take(`set_camera_rotation ${degrees}`, { camera_rotation: degrees });
  }

  sendDigits(digits: string): Promise<void> {
    return this.take(`send_digits ${digits}`);
  }

  showSound(shown: boolean): Promise<void> {
    const open = shown && this.view.call === null;
    const meter = open ? (this.view.sound.meter ?? { db: -21, problem: null }) : null;
    return this.take(`show_sound ${shown}`, { sound: { ...this.view.sound, meter } });
  }

  setSoundDevice(used: SoundUse, spec: string | null): Promise<void> {
    return this.take(`set_sound_device ${used} ${spec}`, { sound: { ...this.view.sound, [used]: spec } });
  }

  setRingVolume(percent: number): Promise<void> {
    return this.take(`set_ring_volume ${percent}`, { sound: { ...this.view.sound, ring_volume: percent } });
  }

  testSound(used: SoundUse): Promise<void> {
    return this.take(`test_sound ${used}`);
  }

  setVoiceLoss(percent: number): Promise<void> {
    return this.take(`set_voice_loss ${percent}`, this.inCall({ voice_loss: percent }));
  }

  silence(): Promise<void> {
    return this.take("silence");
  }

  dismissEnded(): Promise<void> {
    return this.take("dismiss_ended", { ended: null });
  }

  dismissNotice(id: number): Promise<void> {
    return this.take(`dismiss_notice ${id}`, { notices: this.view.notices.filter((notice) => notice.id !== id) });
  }

  search(keyword: string): Promise<void> {
    return this.take(`search ${keyword}`);
  }

  setContact(id: string, contact: boolean): Promise<void> {
    return this.take(`set_contact ${id} ${contact}`);
  }

  signIn(account: { server: string; token: string | null; user: string | null; password: string | null }): Promise<void> {
    const proof = account.token === null ? `user ${account.user} ${account.password}` : `token ${account.token}`;
    return this.take(`sign_in ${account.server} ${proof}`);
  }

  useEmbedded(): Promise<void> {
    return this.take("use_embedded");
  }

  openInvitation(link: string): Promise<void> {
    return this.take(`open_invitation ${link}`);
  }

  acceptInvitation(video: boolean): Promise<void> {
    return this.take(`accept_invitation ${video ? "video" : "audio"}`, { invitation: null });
  }

  dismissInvitation(): Promise<void> {
    return this.take("dismiss_invitation", { invitation: null });
  }

  retryNow(): Promise<void> {
    return this.take("retry_now");
  }

  videoFeed(): Promise<{ url: string; token: string }> {
    return this.pictures
      ? Promise.resolve({ url: "ws://127.0.0.1:1/video", token: "fixture" })
      : Promise.reject(new Error("no pictures in this test"));
  }

  openVideoSocket(): FeedSocket {
    return new FakePictures();
  }

  private inCall(change: Partial<NonNullable<ViewModel["call"]>>): Partial<ViewModel> {
    return this.view.call === null ? {} : { call: { ...this.view.call, ...change } };
  }

  private take(command: string, change: Partial<ViewModel> = {}): Promise<void> {
    this.asked.push(command);
    if (this.refuse !== null) return Promise.reject(this.refuse);
    this.show({ ...this.view, ...change });
    return Promise.resolve();
  }
}
