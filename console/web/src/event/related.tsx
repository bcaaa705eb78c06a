// What belongs to an event: its request's other stages, and what else was done around it.
import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "wouter";
import { answer, api, type AuditEvent } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { is, withoutTime, withTerm } from "../query/language.ts";
import { hrefs, searchHref } from "../query/url.ts";
import { duration } from "../time.ts";
import { Code, Tag } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { aroundQueries, sameRequest } from "./facts.ts";
import { useKey } from "./back.tsx";
import { Plain, visible } from "../ui/plain.tsx";

export function Stages({ event, stages, q }: { event: AuditEvent; stages: readonly AuditEvent[]; q: string }) {
  const text = useText().event;
  const own = [...stages.filter((it) => sameRequest(event, it)), event].sort((a, b) => (a.stageTime ?? "").localeCompare(b.stageTime ?? ""));
  const foreign = stages.filter((it) => !sameRequest(event, it));
  return (
    <section className="card" aria-labelledby="event-stages">
      <header><h2 id="event-stages">{text.sections.stages}</h2></header>
      <ol className="stages">
        {own.map((it) => (
          <li key={it.id} aria-current={it.id === event.id ? "true" : undefined}>
            {it.id === event.id ? <strong><Plain text={it.stage ?? ""} limit={40} /></strong> : <Link href={hrefs.event(it.id, q)}><Plain text={it.stage ?? ""} limit={40} /></Link>} <Code event={it} />{" "}
            <span className="muted"><Time value={it.stageTime || it.time} />{it.durationMicros ? ` · +${duration(it.durationMicros)}` : ""}</span>
            {it.id === event.id ? <> <Tag tone="accent">{text.stages.here}</Tag></> : null}
          </li>
        ))}
      </ol>
      {own.length === 1 ? <p className="muted small">{text.stages.alone}</p> : null}
      {foreign.length > 0 ? (
        <>
          <p className="notice warn">{text.stages.foreign}</p>
          <ul className="stages">
            {foreign.map((it) => (
              <li key={it.id}><Link href={hrefs.event(it.id, q)}><Plain text={`${it.actor} ${it.verb} ${it.resource ?? ""} ${it.stage}`} /></Link> <Code event={it} /> <Time value={it.time} /> <Tag>{text.stages.another}</Tag></li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}

export function Related({ event }: { event: AuditEvent }) {
  const text = useText().event;
  return (
    <section className="card" aria-labelledby="event-related">
      <header><h2 id="event-related">{text.sections.related}</h2></header>
      <ul className="around">{aroundQueries(event).map(({ kind, q }) => <Around key={kind} label={kind === "actor" && event.actor !== event.user ? text.related.impersonated(visible(event.actor ?? "", 80)) : text.related[kind]} q={q} />)}</ul>
    </section>
  );
}

function Around({ label, q }: { label: string; q: string }) {
  const text = useText().event.related;
  const count = useQuery({ queryKey: ["statistics", q], queryFn: ({ signal }) => answer(api.GET("/api/v1/statistics", { params: { query: { q } }, signal })) });
  return (
    <li>
      <Link href={searchHref(q)}>{label}</Link>
      {count.data ? <span className="muted"> · {text.events(count.data.events)}</span> : null}
    </li>
  );
}

/** Whether one event is before another, in the one order that tells any two apart. */
function before(one: AuditEvent, other: AuditEvent): boolean {
  return one.time < other.time || (one.time === other.time && one.id < other.id);
}

/** The events before and after this one among those that the search finds: without its time, which is relative to now as a rule. */
function useNeighbours(event: AuditEvent, q: string) {
  const base = withoutTime(q);
  // The stages of one request are one row of the list.
  const others = event.auditID ? withTerm(base, `-${is("audit", event.auditID)}`) : base;
  return useQuery({
    queryKey: ["neighbours", event.id, base],
    enabled: q.trim() !== "",
    queryFn: async ({ signal }) => {
      const ask = (sort: "asc" | "desc", bound: { start: string } | { end: string }) => answer(api.GET("/api/v1/events", { params: { query: { q: others, sort, limit: 10, ...bound } }, signal }));
      const [older, newer] = await Promise.all([ask("desc", { end: event.time }), ask("asc", { start: event.time })]);
      return { earlier: older.items.find((it) => before(it, event)), later: newer.items.find((it) => before(event, it)) };
    },
  });
}

export function Neighbours({ event, q }: { event: AuditEvent; q: string }) {
  const text = useText().event;
  const found = useNeighbours(event, q).data;
  const [, navigate] = useLocation();
  const to = (other: AuditEvent | undefined) => (other ? () => navigate(hrefs.event(other.id, q)) : undefined);
  // As in the list, of which the newest is on top.
  useKey("j", to(found?.earlier));
  useKey("k", to(found?.later));
  return (
    <>
      {found?.earlier ? <Link className="button small" href={hrefs.event(found.earlier.id, q)} title={text.neighboursHelp}>← {text.earlier} <kbd>j</kbd></Link> : null}
      {found?.later ? <Link className="button small" href={hrefs.event(found.later.id, q)} title={text.neighboursHelp}><kbd>k</kbd> {text.later} →</Link> : null}
    </>
  );
}
