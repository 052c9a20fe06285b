// Keeps the words of the pill calm: a worse state shows after it lasted two seconds, clear returns after five, and at
// most one change is made in two seconds. Pure: the time is a parameter, in milliseconds.

const WORSE_AFTER_MS = 2000;
const CLEAR_AFTER_MS = 5000;
const BETWEEN_CHANGES_MS = 2000;

type Level = "good" | "fair" | "poor" | "bad" | "unknown";

/** What is shown, and what waits to be shown. */
export class Settle<Shown> {
  private shown: { value: Shown; level: Level; at: number } | null = null;
  private waiting: { value: Shown; level: Level; since: number } | null = null;

  /** Takes the newest state and returns the one to show. */
  handle(value: Shown, level: Level, now: number): Shown {
    if (this.shown === null) {
      this.shown = { value, level, at: now };
      return value;
    }
    if (level === this.shown.level) {
      this.waiting = null;
      this.shown.value = value;
      return value;
    }
    const since = this.waiting?.level === level ? this.waiting.since : now;
    this.waiting = { value, level, since };
    return this.poll(now) ?? this.shown.value;
  }

  /** Returns the state to show at `now`, `null` before the first. */
  poll(now: number): Shown | null {
    const wait = this.waitMs(now);
    if (wait !== null && wait <= 0 && this.waiting !== null) {
      this.shown = { value: this.waiting.value, level: this.waiting.level, at: now };
      this.waiting = null;
    }
    return this.shown?.value ?? null;
  }

  /** Milliseconds until `poll` changes what is shown, `null` when nothing waits. */
  waitMs(now: number): number | null {
    if (this.waiting === null || this.shown === null) return null;
    // The first real answer, and the loss of any, are not held back: unknown is never shown as something else.
    const free = this.shown.level === "unknown" || this.waiting.level === "unknown";
    const lasting = free ? 0 : this.waiting.level === "good" ? CLEAR_AFTER_MS : WORSE_AFTER_MS;
    const ready = Math.max(this.waiting.since + lasting, free ? 0 : this.shown.at + BETWEEN_CHANGES_MS);
    return Math.max(0, ready - now);
  }
}
