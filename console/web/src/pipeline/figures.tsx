// The small parts that the page is made of: a figure with its name, a rate, a lag, a bar of room.
import type { ReactNode } from "react";
import type { Stream } from "./types.ts";
import { number, useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import { bytes, percent, perSecond } from "./format.ts";
import type { Lag } from "./status.ts";

/** What of its room a stream may take before somebody should look. */
const NEARLY = 0.8;

export function Figure({ name, children, wide = false }: { name: string; children: ReactNode; wide?: boolean }) {
  return (
    <div className={wide ? "figure wide" : "figure"}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Rate({ name, value }: { name: string; value: number | undefined }) {
  const text = useText().pipeline.way;
  return <Figure name={name}>{value === undefined ? <span className="muted">{text.unknownRate}</span> : text.perSecond(perSecond(value))}</Figure>;
}

/** What waits, and whether somebody takes it. */
export function LagFigure({ name, lag }: { name: string; lag: Lag }) {
  const text = useText().pipeline.way;
  return (
    <Figure name={name} wide>
      <strong>{number(lag.pending + lag.ackPending)}</strong>
      {lag.pending + lag.ackPending > 0 ? <span className="small muted"> {text.lagShown(lag.pending, lag.ackPending)}</span> : null}
      {lag.alone > 0 ? <><br /><Tag tone="warn">{text.nobodyAsks}</Tag></> : null}
    </Figure>
  );
}

/** How full a stream is. The bar repeats what the words say. */
export function Room({ stream }: { stream: Pick<Stream, "bytes" | "maxBytes"> }) {
  const text = useText().pipeline.streams;
  if (stream.maxBytes < 0) return <span>{text.unlimited(bytes(stream.bytes))}</span>;
  const part = stream.maxBytes === 0 ? 1 : stream.bytes / stream.maxBytes;
  const full = part >= NEARLY;
  return (
    <span className={full ? "room full" : "room"}>
      <span className="bar" aria-hidden="true"><span style={{ inlineSize: `${Math.min(part, 1) * 100}%` }} /></span>
      <span className="small">{text.of(bytes(stream.bytes), bytes(stream.maxBytes), percent(part))}</span>
      {full ? <> <Tag tone="warn">{text.nearlyFull}</Tag></> : null}
    </span>
  );
}

/** Several streams as one: the partitions of the events. */
export function together(streams: readonly Stream[]): Pick<Stream, "messages" | "bytes" | "maxBytes"> {
  const sum = { messages: 0, bytes: 0, maxBytes: 0 };
  for (const stream of streams) {
    sum.messages += stream.messages;
    sum.bytes += stream.bytes;
    sum.maxBytes = stream.maxBytes < 0 || sum.maxBytes < 0 ? -1 : sum.maxBytes + stream.maxBytes;
  }
  return sum;
}
