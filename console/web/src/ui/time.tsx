import { ago, brief, full, utc } from "../time.ts";
import { useLocale, useText } from "../i18n/i18n.ts";

/** A moment in the viewer's zone; UTC and how long ago on hover. */
export function Time({ value, as = "brief" }: { value: string; as?: "brief" | "full" | "ago" }) {
  const text = useText().common;
  useLocale();
  const shown = as === "full" ? full(value) : as === "ago" ? ago(value) : brief(value);
  return <time dateTime={value} title={`${text.utc(utc(value))} · ${as === "ago" ? full(value) : ago(value)}`}>{shown}</time>;
}
