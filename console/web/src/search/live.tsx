// Events as they come, the newest on top.
import { useMemo } from "react";
import { Link as Anchor } from "wouter";
import { useText } from "../i18n/i18n.ts";
import { range, withoutTime, withTime } from "../query/language.ts";
import { searchHref } from "../query/url.ts";
import { full } from "../time.ts";
import { visible } from "../ui/plain.tsx";
import { Empty } from "../ui/state.tsx";
import type { ColumnName } from "./columns.tsx";
import { EventGrid } from "./grid.tsx";
import { fold } from "./rows.ts";
import { useTail } from "./tail.ts";
import { KEPT, type Link } from "./tailstate.ts";
import { saysTime } from "./times.ts";

/** Events come a little after they happened: so much more is looked through before a gap. */
const LATE_MS = 30_000;

export default function Live({ query, columns }: { query: string; columns: readonly ColumnName[] }) {
  const text = useText().search;
  const q = saysTime(query) ? withoutTime(query) : query;
  const [tail, act] = useTail(q);
  const rows = useMemo(() => fold(tail.shown), [tail.shown]);
  const said = useSaid(tail.link);
  return (
    <section className="live" aria-label={text.live.label}>
      <div className="row live-head">
        <span className="live-dot" data-on={(tail.link.kind === "connected" && !tail.paused) || undefined} aria-hidden="true" />
        <span role="status">{tail.paused ? text.live.paused : said}</span>
        <button type="button" className="button small" onClick={() => act({ kind: tail.paused ? "resume" : "pause" })}>{tail.paused ? text.live.resume(tail.waited) : text.live.pause}</button>
        {saysTime(query) ? <span className="muted small">{text.live.noTime}</span> : null}
        {tail.dropped ? <span className="muted small">{text.live.dropped(KEPT)}</span> : null}
        {tail.missed > 0 ? <span className="notice warn" role="alert">{text.live.missed(tail.missed)}</span> : null}
      </div>
      {tail.gaps.map(({ from, to }) => (
        <p key={from} className="notice warn live-gap" role="alert">
          {text.live.gap(full(from), full(to))} <Anchor href={searchHref(withTime(q, range(from - LATE_MS, to)))}>{text.live.searchGap}</Anchor>
        </p>
      ))}
      {rows.length === 0 ? <div className="card"><Empty title={text.live.waiting} /></div> : <EventGrid rows={rows} columns={columns} label={text.live.label} q={q} name={`live\n${q}`} total={rows.length} main />}
    </section>
  );
}

function useSaid(link: Link): string {
  const text = useText().search.live;
  switch (link.kind) {
    case "connecting": return text.connecting;
    case "connected": return text.connected;
    case "retrying": return `${link.why === undefined ? text.lost : text.ended(visible(link.why, 300))} ${text.retrying(link.ms / 1_000)}`;
    case "wrong": return text.ended(visible(link.problem.message, 300));
  }
}
