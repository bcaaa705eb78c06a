import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { follow, SILENCE_MS, type Source } from "./follow.ts";
import { type Action, EMPTY, reduce } from "./tailstate.ts";

const START = Date.parse("2026-11-26T12:00:00Z");

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A stream that stays open, and breaks when it is given up. */
function open(signal: AbortSignal, ...parts: string[]): { response: Response; send: (part: string) => void } {
  const bytes = new TextEncoder();
  let send: (part: string) => void = () => undefined;
  const body = new ReadableStream<Uint8Array>({
    start(control) {
      for (const part of parts) control.enqueue(bytes.encode(part));
      send = (part) => control.enqueue(bytes.encode(part));
      signal.addEventListener("abort", () => control.error(new DOMException("given up", "AbortError")));
    },
  });
  return { response: new Response(body), send };
}

function start(connect: Source["connect"]) {
  const actions: Action[] = [];
  const control = new AbortController();
  void follow({ connect, refused: () => undefined, why: (error) => (error instanceof Error ? error.message : undefined) }, control.signal, (action) => actions.push(action));
  return { control, tail: () => actions.reduce(reduce, EMPTY), links: () => actions.flatMap((it) => (it.kind === "link" ? [it.link] : [])) };
}

test("why the console ended it is told while it is tried again, and what was not received after", async () => {
  let asked = 0;
  const seen = start(async (signal) => {
    asked += 1;
    if (asked === 2) throw new Error("nobody is there");
    return open(signal, asked === 1 ? 'event: end\ndata: {"reason":"the console stops"}\n\n' : ": watching\n\n").response;
  });
  await vi.advanceTimersByTimeAsync(500);
  expect(seen.tail().link).toEqual({ kind: "retrying", ms: 1_000, why: "the console stops" });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seen.tail().link).toEqual({ kind: "retrying", ms: 2_000, why: "nobody is there" });
  expect(seen.tail().gaps).toEqual([]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(seen.tail().link).toEqual({ kind: "connected" });
  expect(seen.tail().gaps).toEqual([{ from: START, to: START + 3_000 }]);
  seen.control.abort();
});

test("who hears nothing, not even signs of life, connects anew", async () => {
  const sends: ((part: string) => void)[] = [];
  const seen = start(async (signal) => {
    const { response, send } = open(signal);
    sends.push(send);
    return response;
  });
  for (const _ of [1, 2, 3, 4]) {
    await vi.advanceTimersByTimeAsync(15_000);
    sends[0]?.(":\n\n");
  }
  await vi.advanceTimersByTimeAsync(SILENCE_MS - 1_000);
  expect(sends.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seen.tail().link).toEqual({ kind: "retrying", ms: 1_000, why: undefined });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sends.length).toBe(2);
  expect(seen.tail().gaps).toEqual([{ from: START + 60_000, to: START + 61_000 + SILENCE_MS }]);
  seen.control.abort();
});
