// Events as they come, over one connection that is made anew when it breaks.
import { EventSourceParserStream } from "eventsource-parser/stream";
import { useEffect, useReducer } from "react";
import { ApiError, type AuditEvent, fetchApi } from "../api/client.ts";
import { type Action, EMPTY, reduce, type Tail } from "./tailstate.ts";

const RETRY_MS = [1_000, 2_000, 5_000, 10_000, 30_000] as const;
/** Events are shown together that come within this: a flood must not draw each alone. */
const GATHER_MS = 150;

export function useTail(q: string): [Tail, (action: { kind: "pause" | "resume" }) => void] {
  const [tail, act] = useReducer(reduce, EMPTY);
  useEffect(() => {
    const control = new AbortController();
    act({ kind: "reset" });
    void follow(q, control.signal, act);
    return () => control.abort();
  }, [q]);
  return [tail, act];
}

async function follow(q: string, signal: AbortSignal, act: (action: Action) => void): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    act({ kind: "link", link: { kind: "connecting" } });
    try {
      const response = await fetchApi(`/api/v1/tail?${new URLSearchParams({ q })}`, { signal, headers: { accept: "text/event-stream" } });
      act({ kind: "link", link: { kind: "connected" } });
      failures = 0;
      const why = await read(response, signal, act);
      if (why !== undefined) act({ kind: "link", link: { kind: "ended", why } });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code >= 400 && error.code < 500) {
        act({ kind: "link", link: { kind: "wrong", problem: error.problem } });
        return;
      }
    }
    if (signal.aborted) return;
    const ms = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 1_000;
    act({ kind: "link", link: { kind: "retrying", ms } });
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/** Reads until it breaks, or the console ends it: then why. */
async function read(response: Response, signal: AbortSignal, act: (action: Action) => void): Promise<string | undefined> {
  if (!response.body) return undefined;
  let gathered: AuditEvent[] = [];
  const tell = () => {
    if (gathered.length > 0 && !signal.aborted) act({ kind: "events", events: gathered });
    gathered = [];
  };
  const timer = setInterval(tell, GATHER_MS);
  const reader = response.body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array<ArrayBuffer>, string>).pipeThrough(new EventSourceParserStream()).getReader();
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
  }
}
