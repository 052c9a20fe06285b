// Pulls pictures over a loopback WebSocket, one at a time: the next is asked for only when the last one is drawn, so
// that a slow page makes the shell skip pictures and no queue grows anywhere. Draws nothing itself.
//
//   idle --connect--> opening --open--> asking <--drawn-- holding
//     ^                  |                 '--picture-----^
//     '---- wait <-------'---- closed ----'
import { parseFrame, type Frame } from "./frame";

/** What the feed needs of a WebSocket. */
export interface FeedSocket {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(): void;
}

/** What the feed needs of the page, so that a test can stand in for it. */
export interface FeedHost {
  address(): Promise<{ url: string; token: string }>;
  open(url: string): FeedSocket;
  /** Runs `work` when the page paints next. */
  onPaint(work: () => void): void;
  /** Runs `work` after `ms` milliseconds; the returned function stops it. */
  after(ms: number, work: () => void): () => void;
  draw(frame: Frame): void;
}

/** Milliseconds until the first attempt to reconnect; it doubles up to the longest (chosen). */
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 4000;

/** One pull loop for one canvas. */
export class Feed {
  private socket: FeedSocket | null = null;
  /** A request is out, or its picture waits for the paint. */
  private busy = false;
  private open = false;
  private visible = true;
  private stopped = false;
  private size = { width: 0, height: 0 };
  private retryMs = FIRST_RETRY_MS;
  private cancelRetry: (() => void) | null = null;

  constructor(
    private readonly host: FeedHost,
    private readonly view: "remote" | "local",
  ) {}

  start(): void {
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.cancelRetry?.();
    this.socket?.close();
    this.socket = null;
  }

  /** The size of the tile in device pixels; the next picture is asked for in this size. */
  handleSize(width: number, height: number): void {
    this.size = { width: Math.round(width), height: Math.round(height) };
    this.ask();
  }

  /** A hidden page asks for nothing. */
  handleVisible(visible: boolean): void {
    this.visible = visible;
    this.ask();
  }

  private async connect(): Promise<void> {
    try {
      const { url, token } = await this.host.address();
      if (this.stopped) return;
      const socket = this.host.open(url);
      this.socket = socket;
      socket.onopen = () => {
        this.open = true;
        this.retryMs = FIRST_RETRY_MS;
        socket.send(JSON.stringify({ token, view: this.view }));
        this.ask();
      };
      socket.onmessage = (event) => this.handleMessage(socket, event.data);
      socket.onclose = () => this.handleClosed(socket);
    } catch {
      // The shell has no feed yet or gave no address: the same as a closed socket.
      this.retryLater();
    }
  }

  private handleMessage(socket: FeedSocket, message: unknown): void {
    if (socket !== this.socket) return;
    const frame = message instanceof ArrayBuffer ? parseFrame(message) : null;
    if (frame === null) {
      // Not a picture; the connection cannot be trusted to stay in step.
      socket.close();
      return;
    }
    this.host.onPaint(() => {
      if (socket !== this.socket) return;
      this.host.draw(frame);
      this.busy = false;
      this.ask();
    });
  }

  private handleClosed(socket: FeedSocket): void {
    if (socket !== this.socket) return;
    this.socket = null;
    this.open = false;
    this.busy = false;
    this.retryLater();
  }

  private retryLater(): void {
    if (this.stopped) return;
    this.cancelRetry = this.host.after(this.retryMs, () => void this.connect());
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }

  private ask(): void {
    if (!this.open || this.busy || !this.visible || this.socket === null) return;
    if (this.size.width === 0 || this.size.height === 0) return;
    this.busy = true;
    this.socket.send(JSON.stringify(this.size));
  }
}
