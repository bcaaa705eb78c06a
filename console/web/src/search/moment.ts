// The moment that a page shows: its requests are made at one, and all of them anew at another.
import { useCallback, useEffect, useMemo, useState } from "react";
import { saysNow } from "./times.ts";

/** Whoever comes back to a question so soon finds it as it was. */
const KEPT_MS = 5 * 60_000;
const KEPT = 50;
/** Older than this is no longer "now". */
const OLD_MS = 60_000;

const moments = new Map<string, number>();

function momentOf(q: string): number {
  const kept = moments.get(q);
  return kept !== undefined && Date.now() - kept < KEPT_MS ? kept : renewed(q);
}

function renewed(q: string): number {
  moments.delete(q);
  moments.set(q, Date.now());
  for (const [oldest] of moments) {
    if (moments.size <= KEPT) break;
    moments.delete(oldest);
  }
  return moments.get(q) ?? Date.now();
}

export interface Moment {
  at: number;
  renew: () => void;
  /** Renews what is about now, and is of some time ago: where something new is asked beside what is there. */
  catchUp: () => void;
}

export function useMoment(q: string): Moment {
  const [version, setVersion] = useState(0);
  const at = useMemo(() => momentOf(q), [q, version]);
  const renew = useCallback(() => {
    renewed(q);
    setVersion((it) => it + 1);
  }, [q]);
  const catchUp = useCallback(() => {
    if (saysNow(q) && Date.now() - at > OLD_MS) renew();
  }, [q, at, renew]);
  useEffect(() => {
    const seen = () => {
      if (document.visibilityState === "visible") catchUp();
    };
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, [catchUp]);
  return { at, renew, catchUp };
}
