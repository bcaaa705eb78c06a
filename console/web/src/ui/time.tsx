import { useSyncExternalStore } from "react";
import { ago, brief, full, utc } from "../time.ts";
import { useLocale, useText } from "../i18n/i18n.ts";

const waiting = new Set<() => void>();
let minutes = 0;
let ticking: ReturnType<typeof setInterval> | undefined;

/** One clock for all times that are shown as how long ago. */
function onMinute(listener: () => void): () => void {
  waiting.add(listener);
  ticking ??= setInterval(() => {
    minutes += 1;
    for (const it of waiting) it();
  }, 60_000);
  return () => {
    waiting.delete(listener);
    if (waiting.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}

const never = () => () => {};

/** A moment in the viewer's zone; UTC and how long ago on hover. */
export function Time({ value, as = "brief" }: { value: string; as?: "brief" | "full" | "ago" }) {
  const text = useText().common;
  useLocale();
  useSyncExternalStore(as === "ago" ? onMinute : never, () => minutes);
  const shown = as === "full" ? full(value) : as === "ago" ? ago(value) : brief(value);
  return <time dateTime={value} title={`${text.utc(utc(value))} · ${as === "ago" ? full(value) : ago(value)}`}>{shown}</time>;
}
