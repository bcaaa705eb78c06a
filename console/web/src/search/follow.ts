// A connection that is made anew when it breaks or falls silent, and what was not received meanwhile.
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { AuditEvent, Problem } from "../api/client.ts";
import type { Action } from "./tailstate.ts";

const RETRY_MS = [1_000, 2_000, 5_000, 10_000, 30_000] as const;
/** Events are shown together that come within this: a flood must not draw each alone. */
const GATHER_MS = 150;
/** The console gives a sign of life every 15 seconds: who hears nothing for so long has no connection, whatever the network says. */
export const SILENCE_MS = 45_000;

export interface Source {
  connect: (signal: AbortSignal) => Promise<Response>;
  /** Why a failure will not pass by waiting. */
  refused: (error: unknown) => Problem | undefined;
  /** What to say of one that may. */
  why: (error: unknown) => string | undefined;
}

export async function follow(source: Source, signal: AbortSignal, act: (action: Action) => void): Promise<void> {
  let heard = Date.now();
  for (let failures = 0, before = false; !signal.aborted; failures += 1, before = true) {
    act({ kind: "link", link: { kind: "connecting" } });
    let why: string | undefined;
    const silence = watchdog(signal);
    try {
      const response = await source.connect(silence.signal);
      if (signal.aborted) return;
      act({ kind: "link", link: { kind: "connected" } });
      if (before) act({ kind: "gap", gap: { from: heard, to: Date.now() } });
      failures = 0;
      heard = Date.now();
      why = await read(response, signal, act, () => {
        heard = Date.now();
        silence.heard();
      });
    } catch (error) {
      if (signal.aborted) return;
      const problem = source.refused(error);
      if (problem) {
        act({ kind: "link", link: { kind: "wrong", problem } });
        return;
      }
      if (!silence.signal.aborted) why = source.why(error);
    } finally {
      silence.end();
    }
    if (signal.aborted) return;
    const ms = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 1_000;
    act({ kind: "link", link: { kind: "retrying", ms, why } });
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/** Aborts what hears nothing for too long. */
function watchdog(outer: AbortSignal): { signal: AbortSignal; heard: () => void; end: () => void } {
  const quiet = new AbortController();
  const start = () => setTimeout(() => quiet.abort(), SILENCE_MS);
  let timer = start();
  return {
    signal: AbortSignal.any([outer, quiet.signal]),
    heard: () => {
      clearTimeout(timer);
      timer = start();
    },
    end: () => clearTimeout(timer),
  };
}

/** Reads until it breaks, or the console ends it: then why. */
async function read(response: Response, signal: AbortSignal, act: (action: Action) => void, heard: () => void): Promise<string | undefined> {
  if (!response.body) return undefined;
  let gathered: AuditEvent[] = [];
  const tell = () => {
    if (gathered.length > 0 && !signal.aborted) act({ kind: "events", events: gathered });
    gathered = [];
  };
  const timer = setInterval(tell, GATHER_MS);
  const text = response.body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array<ArrayBuffer>, string>);
  // Signs of life are comments, which the parser drops.
  const watched = text.pipeThrough(new TransformStream<string, string>({
    transform(part, next) {
      heard();
      next.enqueue(part);
    },
  }));
  const reader = watched.pipeThrough(new EventSourceParserStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      if (value.event === "missed") act({ kind: "missed", count: (JSON.parse(value.data) as { count: number }).count });
      else if (value.event === "end") return (JSON.parse(value.data) as { reason: string }).reason;
      else gathered.push(JSON.parse(value.data) as AuditEvent);
    }
  } finally {
    clearInterval(timer);
    tell();
    // What ended by its own word is not kept open.
    void reader.cancel().catch(() => undefined);
  }
}
