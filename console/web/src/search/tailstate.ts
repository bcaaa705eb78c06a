// What is shown of a tail, and what waits.
import type { AuditEvent, Problem } from "../api/client.ts";

/** So many are shown, and so many wait at most. */
export const KEPT = 1_000;

export type Link = { kind: "connecting" } | { kind: "connected" } | { kind: "retrying"; ms: number; why?: string } | { kind: "wrong"; problem: Problem };

/** While there was no connection, in milliseconds. */
export interface Gap {
  from: number;
  to: number;
}

/** So many of the latest are told. */
const GAPS = 5;

export interface Tail {
  link: Link;
  /** The newest first. */
  shown: AuditEvent[];
  waiting: AuditEvent[];
  /** How many wait, or waited and were too many. */
  waited: number;
  missed: number;
  /** The latest last. */
  gaps: Gap[];
  /** Whether some are not shown any more. */
  dropped: boolean;
  paused: boolean;
}

export type Action = { kind: "link"; link: Link } | { kind: "gap"; gap: Gap } | { kind: "events"; events: AuditEvent[] } | { kind: "missed"; count: number } | { kind: "pause" } | { kind: "resume" } | { kind: "reset" };

export const EMPTY: Tail = { link: { kind: "connecting" }, shown: [], waiting: [], waited: 0, missed: 0, gaps: [], dropped: false, paused: false };

export function reduce(tail: Tail, action: Action): Tail {
  switch (action.kind) {
    case "link": return { ...tail, link: action.link };
    case "gap": return { ...tail, gaps: [...tail.gaps, action.gap].slice(-GAPS) };
    case "missed": return { ...tail, missed: tail.missed + action.count };
    case "pause": return { ...tail, paused: true };
    case "resume": return { ...onTop(tail, tail.waiting), waiting: [], waited: 0, paused: false };
    case "reset": return EMPTY;
    case "events": {
      const newest = [...action.events].reverse();
      if (!tail.paused) return onTop(tail, newest);
      return { ...tail, waiting: [...newest, ...tail.waiting].slice(0, KEPT), waited: tail.waited + newest.length };
    }
  }
}

function onTop(tail: Tail, newest: AuditEvent[]): Tail {
  const shown = [...newest, ...tail.shown];
  return { ...tail, shown: shown.slice(0, KEPT), dropped: tail.dropped || shown.length > KEPT || tail.waited > KEPT };
}
