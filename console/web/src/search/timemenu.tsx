// The time in force, and others to choose.
import { useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { range, timeOf, withTime } from "../query/language.ts";
import { full, utc } from "../time.ts";
import { Popover } from "./popover.tsx";
import { asked, saysNow, saysTime, type Span, wider } from "./times.ts";

const LASTS = ["15m", "1h", "12h", "24h", "7d"] as const;
type Last = (typeof LASTS)[number];

/** `span` is what the time in force means. */
export function TimeMenu({ query, span, open, onOpen, onAsk }: { query: string; span?: Span; open: boolean; onOpen: (open: boolean) => void; onAsk: (query: string) => void }) {
  const text = useText().search.time;
  const time = timeOf(asked(query));
  const now = Date.now();
  const last = LASTS.find((it) => time === `last:${it}`);
  const name = last ? text.last[last] : span && !saysNow(asked(query)) ? text.between(full(span.start), full(span.end)) : time;
  const choose = (next: string) => {
    onOpen(false);
    onAsk(withTime(query, next));
  };
  const out = span ? wider(span, now) : undefined;
  return (
    <span className="time-menu">
      <Popover label={`${text.label}: ${name}`} shown={name} title={text.label} className="button small time-button" open={open} onOpen={onOpen}>
        <ul className="lasts">
          {LASTS.map((it) => <li key={it}><button type="button" className="button quiet" aria-pressed={it === last} onClick={() => choose(`last:${it}`)}>{text.last[it]}</button></li>)}
        </ul>
        <Custom span={span} onChoose={choose} />
        {saysTime(query) ? null : <p className="small muted">{text.usual}</p>}
        {span ? <p className="small muted">{utc(new Date(span.start).toISOString())} – {utc(new Date(span.end).toISOString())} UTC</p> : null}
      </Popover>
      {out ? <button type="button" className="button small" onClick={() => onAsk(withTime(query, longer(time, out, now)))}>{text.wider}</button> : null}
    </span>
  );
}

/** Twice as long: what ends now still does, if that is one of the usual ones. */
function longer(time: string, out: Span, now: number): string {
  const at = LASTS.findIndex((it) => time === `last:${it}`);
  const next: Last | undefined = at < 0 ? undefined : LASTS[at + 1];
  return next ? `last:${next}` : range(out.start, Math.min(out.end, Math.max(now, out.start + 1)));
}

function Custom({ span, onChoose }: { span?: Span; onChoose: (time: string) => void }) {
  const text = useText().search.time;
  const [from, setFrom] = useState(() => local(span?.start ?? Date.now() - 3_600_000));
  const [until, setUntil] = useState(() => local(span?.end ?? Date.now()));
  const [start, end] = [new Date(from).getTime(), new Date(until).getTime()];
  const wrong = !(start < end);
  return (
    <form className="popover-form" onSubmit={(event) => { event.preventDefault(); if (!wrong) onChoose(range(start, end)); }}>
      <h3>{text.custom} <span className="muted small">{text.zone(Intl.DateTimeFormat().resolvedOptions().timeZone)}</span></h3>
      <label className="field"><span>{text.from}</span><input type="datetime-local" step={1} className="input" value={from} onChange={(event) => setFrom(event.target.value)} /></label>
      <label className="field"><span>{text.until}</span><input type="datetime-local" step={1} className="input" value={until} onChange={(event) => setUntil(event.target.value)} aria-invalid={wrong} /></label>
      {wrong ? <p className="small" role="alert">{text.wrong}</p> : null}
      <div className="row"><button type="submit" className="button primary" disabled={wrong}>{text.apply}</button></div>
    </form>
  );
}

/** A moment as a box for local times takes it. */
function local(time: number): string {
  const date = new Date(time);
  return new Date(time - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
