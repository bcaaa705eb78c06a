// Events as they come, the newest on top.
import { useMemo } from "react";
import { useText } from "../i18n/i18n.ts";
import { withoutTime } from "../query/language.ts";
import { Empty } from "../ui/state.tsx";
import type { ColumnName } from "./columns.tsx";
import { EventGrid } from "./grid.tsx";
import { fold } from "./rows.ts";
import { useTail } from "./tail.ts";
import { KEPT, type Link } from "./tailstate.ts";
import { saysTime } from "./times.ts";

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
      {rows.length === 0 ? <div className="card"><Empty title={text.live.waiting} /></div> : <EventGrid rows={rows} columns={columns} label={text.live.label} q={q} name={`live\n${q}`} total={rows.length} main />}
    </section>
  );
}

function useSaid(link: Link): string {
  const text = useText().search.live;
  switch (link.kind) {
    case "connecting": return text.connecting;
    case "connected": return text.connected;
    case "retrying": return text.retrying(link.ms / 1_000);
    case "ended": return text.ended(link.why);
    case "wrong": return text.ended(link.problem.message);
  }
}
