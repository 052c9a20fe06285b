import { expect, it } from "vitest";
import { Settle } from "./settle";

it("the first state is shown at once", () => {
  expect(new Settle<string>().handle("clear", "good", 0)).toBe("clear");
});

it("a worse state shows only after it lasted two seconds", () => {
  const settle = new Settle<string>();
  settle.handle("clear", "good", 0);
  expect(settle.handle("weak", "poor", 10_000)).toBe("clear");
  expect(settle.waitMs(10_000)).toBe(2000);
  expect(settle.poll(11_999)).toBe("clear");
  expect(settle.poll(12_000)).toBe("weak");
});

it("a worse state that passes is never shown", () => {
  const settle = new Settle<string>();
  settle.handle("clear", "good", 0);
  settle.handle("weak", "poor", 10_000);
  settle.handle("clear", "good", 11_000);
  expect(settle.waitMs(11_000)).toBeNull();
  expect(settle.poll(20_000)).toBe("clear");
});

it("clear returns after five seconds", () => {
  const settle = new Settle<string>();
  settle.handle("weak", "poor", 0);
  settle.handle("clear", "good", 10_000);
  expect(settle.poll(14_999)).toBe("weak");
  expect(settle.poll(15_000)).toBe("clear");
});

it("words of the same level follow at once", () => {
  const settle = new Settle<string>();
  settle.handle("loses 11 %", "poor", 0);
  expect(settle.handle("loses 12 %", "poor", 100)).toBe("loses 12 %");
});

it("unknown is shown at once, and so is the first answer after it", () => {
  const settle = new Settle<string>();
  settle.handle("clear", "good", 0);
  expect(settle.handle("not known", "unknown", 100)).toBe("not known");
  expect(settle.handle("weak", "poor", 200)).toBe("weak");
});
