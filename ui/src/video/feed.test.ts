import { beforeEach, describe, expect, it } from "vitest";
import { Feed, type FeedSocket } from "./feed";
import { encodeFrame, type Frame } from "./frame";

class FakeSocket implements FeedSocket {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly sent: unknown[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
    this.onclose?.(new CloseEvent("close"));
  }

  receive(data: unknown): void {
    this.onmessage?.(new MessageEvent("message", { data }));
  }
}

/** A page whose paints and timers are turned by hand. */
class FakePage {
  sockets: FakeSocket[] = [];
  paints: (() => void)[] = [];
  timers: { ms: number; work: () => void }[] = [];
  drawn: number[] = [];
  failing = false;

  address = (): Promise<{ url: string; token: string }> =>
    this.failing ? Promise.reject(new Error("no feed")) : Promise.resolve({ url: "ws://127.0.0.1:9/", token: "secret" });
  open = (): FeedSocket => {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket;
  };
  onPaint = (work: () => void): void => void this.paints.push(work);
  after = (ms: number, work: () => void): (() => void) => {
    const timer = { ms, work };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  };
  draw = (frame: Frame): void => void this.drawn.push(frame.sequence);

  paint(): void {
    for (const work of this.paints.splice(0)) work();
  }

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }
}

function picture(sequence: number): ArrayBuffer {
  const chroma = new Uint8Array(1);
  return encodeFrame({ width: 2, height: 2, sequence, capturedUs: 0n, y: new Uint8Array(4), u: chroma, v: chroma });
}

let page: FakePage;
let feed: Feed;
/** Lets the promise of the address settle. */
const settled = (): Promise<void> => Promise.resolve().then(() => undefined);

beforeEach(async () => {
  page = new FakePage();
  feed = new Feed(page, "remote");
  feed.handleSize(640, 360);
  feed.start();
  await settled();
});

const size = { width: 640, height: 360 };

describe("pulling", () => {
  it("says who it is, then asks for one picture of the size of the tile", () => {
    expect(page.socket.sent).toEqual([]);
    page.socket.onopen?.(new Event("open"));
    expect(page.socket.sent).toEqual([{ token: "secret", view: "remote" }, size]);
  });

  it("never has two requests in flight, and asks again only after the paint", () => {
    page.socket.onopen?.(new Event("open"));
    feed.handleSize(641.4, 360);
    feed.handleVisible(true);
    expect(page.socket.sent).toHaveLength(2);
    page.socket.receive(picture(1));
    expect(page.socket.sent).toHaveLength(2);
    expect(page.drawn).toEqual([]);
    page.paint();
    expect(page.drawn).toEqual([1]);
    expect(page.socket.sent).toHaveLength(3);
    expect(page.socket.sent[2]).toEqual({ width: 641, height: 360 });
  });

  it("asks for nothing while the page is hidden", () => {
    page.socket.onopen?.(new Event("open"));
    feed.handleVisible(false);
    page.socket.receive(picture(1));
    page.paint();
    expect(page.socket.sent).toHaveLength(2);
    feed.handleVisible(true);
    expect(page.socket.sent).toHaveLength(3);
  });

  it("asks for nothing before the tile has a size", async () => {
    const other = new Feed(page, "local");
    other.start();
    await settled();
    page.socket.onopen?.(new Event("open"));
    expect(page.socket.sent).toEqual([{ token: "secret", view: "local" }]);
    other.handleSize(100, 0);
    expect(page.socket.sent).toHaveLength(1);
    other.handleSize(100, 50);
    expect(page.socket.sent).toHaveLength(2);
  });
});

describe("trouble", () => {
  it("a closed connection is opened again, later each time, and starts over", async () => {
    page.socket.onopen?.(new Event("open"));
    page.socket.close();
    expect(page.timers.map((timer) => timer.ms)).toEqual([250]);
    page.failing = true;
    page.timers[0]?.work();
    await settled();
    await settled();
    expect(page.timers.map((timer) => timer.ms)).toEqual([250, 500]);
    page.failing = false;
    page.timers[1]?.work();
    await settled();
    page.socket.onopen?.(new Event("open"));
    expect(page.sockets).toHaveLength(2);
    expect(page.socket.sent).toEqual([{ token: "secret", view: "remote" }, size]);
    page.socket.close();
    expect(page.timers.at(-1)?.ms).toBe(250);
  });

  it("a message that is no picture closes the connection", () => {
    page.socket.onopen?.(new Event("open"));
    const socket = page.socket;
    socket.receive(new ArrayBuffer(5));
    expect(socket.closed).toBe(true);
    expect(page.timers).toHaveLength(1);
  });

  it("a picture that arrives before the connection breaks is not drawn into the next one", () => {
    page.socket.onopen?.(new Event("open"));
    page.socket.receive(picture(1));
    page.socket.close();
    page.paint();
    expect(page.drawn).toEqual([]);
  });

  it("a stopped feed draws nothing and does not come back", () => {
    page.socket.onopen?.(new Event("open"));
    page.socket.receive(picture(1));
    const socket = page.socket;
    feed.stop();
    page.paint();
    expect(socket.closed).toBe(true);
    expect(page.drawn).toEqual([]);
    expect(page.timers).toEqual([]);
  });
});
