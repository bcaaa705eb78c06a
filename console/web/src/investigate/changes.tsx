// What was changed, and how: by object or in the order of time, each change with its difference.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId, useMemo, useState } from "react";
import { Link } from "wouter";
import { answer, api, type AuditEvent } from "../api/client.ts";
import { Difference } from "../event/change.tsx";
import { useDraft } from "../ui/draft.ts";
import { Plain } from "../ui/plain.tsx";
import { useText } from "../i18n/i18n.ts";
import { withTime } from "../query/language.ts";
import { hrefs, useParam } from "../query/url.ts";
import { Failed, Loading } from "../ui/state.tsx";
import { Code } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { KeptOf, Nothing } from "./nothing.tsx";
import { objectText, type Scope } from "./scope.ts";
import { isMoment, momentOf, typedOf, upTo, zone } from "./times.ts";

const PAGE = 200;

/** One record of each request: the last of its stages that changed something. */
function requests(events: readonly AuditEvent[]): AuditEvent[] {
  const last = new Map<string, AuditEvent>();
  for (const event of events) {
    const id = event.auditID ? `${event.cluster} ${event.auditID} ${event.actor} ${event.verb} ${event.time}` : event.id;
    const known = last.get(id);
    if (!known || (known.stageTime ?? "") < (event.stageTime ?? "")) last.set(id, event);
  }
  return [...last.values()];
}

function nameOf(event: AuditEvent) {
  return { cluster: event.cluster ?? "", namespace: event.namespace ?? "", resource: event.resource ?? "", name: event.name ?? "" };
}

export function Changes({ scope, terms = [], byObject = true, actors = false }: {
  scope: Scope;
  terms?: readonly string[];
  /** Whether changes of several objects are to be told apart. */
  byObject?: boolean;
  /** Whether who changed it is to be said. */
  actors?: boolean;
}) {
  const text = useText().investigate;
  const [sort, setSort] = useParam("sort", "asc");
  const [order, setOrder] = useParam("order", "object");
  const [before, setBefore] = useParam("before");
  const grouped = byObject && order === "object";
  const asked = scope.with("change:yes", ...terms);
  const q = isMoment(before) ? withTime(asked, upTo(scope.time, before)) : asked;
  const direction = sort === "desc" ? "desc" : "asc";
  const found = useInfiniteQuery({
    queryKey: ["changes", q, direction],
    queryFn: ({ pageParam, signal }) => answer(api.GET("/api/v1/events", { params: { query: { q, sort: direction, limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) } }, signal })),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
  });
  const changes = useMemo(() => requests(found.data?.pages.flatMap((page) => page.items) ?? []), [found.data]);
  const groups = useMemo(() => {
    if (!grouped) return [{ name: "", changes }];
    const made = new Map<string, AuditEvent[]>();
    for (const event of changes) {
      const name = JSON.stringify(nameOf(event));
      const there = made.get(name);
      if (there) there.push(event);
      else made.set(name, [event]);
    }
    return [...made].map(([name, changes]) => ({ name, changes }));
  }, [changes, grouped]);

  let content: ReactNode;
  if (found.isPending) content = <Loading />;
  else if (found.isError) content = <Failed error={found.error} onRetry={() => void found.refetch()} />;
  else if (changes.length === 0) content = <Nothing q={q} scope={scope} />;
  else
    content = (
      <>
        {groups.map((group) => (
          <section key={group.name} aria-label={grouped && group.changes[0] ? objectText(nameOf(group.changes[0])) : text.tabs.changes}>
            {grouped && group.changes[0] ? <ObjectHeading event={group.changes[0]} scope={scope} count={group.changes.length} /> : null}
            <ul className="changed">{group.changes.map((event) => <Changed key={event.id} event={event} q={q} named={byObject && !grouped} actors={actors} />)}</ul>
          </section>
        ))}
        {found.hasNextPage ? <p><button type="button" className="button" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>{text.change.more}</button></p> : null}
        <KeptOf q={q} />
      </>
    );
  return (
    <>
      <div className="row toolbar">
        <fieldset>
          <legend>{text.change.order}</legend>
          {byObject ? (
            <>
              <Toggle pressed={order === "object"} onPress={() => setOrder("object")}>{text.change.byObject}</Toggle>
              <Toggle pressed={order !== "object"} onPress={() => setOrder("time")}>{text.change.byTime}</Toggle>
            </>
          ) : null}
          <Toggle pressed={direction === "asc"} onPress={() => setSort("asc")}>{text.change.oldest}</Toggle>
          <Toggle pressed={direction === "desc"} onPress={() => setSort("desc")}>{text.change.newest}</Toggle>
        </fieldset>
        <Before value={before} onChange={setBefore} />
      </div>
      {content}
    </>
  );
}

export function Toggle({ pressed, onPress, title, children }: { pressed: boolean; onPress: () => void; title?: string; children: ReactNode }) {
  return <button type="button" className="button small" title={title} aria-pressed={pressed} onClick={onPress}>{children}</button>;
}

function Before({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const text = useText().investigate.change;
  const id = useId();
  const [typed, setTyped] = useDraft(value, typedOf);
  // Like the times of the rows beside it, in the viewer's zone; in the address and the query, in UTC.
  const moment = typed.trim() === "" ? "" : momentOf(typed.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (moment !== undefined) onChange(moment);
  };
  return (
    <form className="row" onSubmit={submit}>
      <label htmlFor={id} className="muted">{text.before(zone())}</label>
      <input id={id} className="input mono" value={typed} placeholder={text.beforeHelp} autoComplete="off" spellCheck={false} aria-invalid={moment === undefined} onChange={(event) => setTyped(event.target.value)} />
      <button type="submit" className="button small" disabled={moment === undefined}>{text.apply}</button>
    </form>
  );
}

function ObjectHeading({ event, scope, count }: { event: AuditEvent; scope: Scope; count: number }) {
  const text = useText().investigate;
  const name = nameOf(event);
  return (
    <h2 className="changed-object">
      <Link href={hrefs.object(name, { actor: event.actor, time: scope.carried.time ?? "", tab: "changes" })}><code><Plain text={objectText(name)} limit={200} /></code></Link>{" "}
      <span className="muted small">{text.change.records(count)}</span>
    </h2>
  );
}

/** A row that opens the difference below it. */
function Changed({ event, q, named, actors }: { event: AuditEvent; q: string; named: boolean; actors: boolean }) {
  const words = useText();
  const text = words.investigate;
  const id = useId();
  const [open, setOpen] = useState(false);
  const subresource = event.subresource ? `/${event.subresource}` : "";
  return (
    <li>
      <button type="button" className="summary" aria-expanded={open} aria-controls={open ? id : undefined} onClick={() => setOpen(!open)}>
        <span className="twist" aria-hidden="true">{open ? "▾" : "▸"}</span>
        <Time value={event.time} />
        <strong><Plain text={`${event.verb}${subresource}`} limit={60} /></strong>
        {named ? <code><Plain text={objectText(nameOf(event))} limit={160} /></code> : null}
        {actors ? <span><Plain text={event.actor} limit={120} /></span> : null}
        {event.user !== event.actor ? <span className="muted"><Plain text={text.change.through(event.user)} limit={160} /></span> : null}
        <Code event={event} />
      </button>
      {open ? <div className="inside" id={id}><Inside id={event.id} q={q} /></div> : null}
    </li>
  );
}

function Inside({ id, q }: { id: string; q: string }) {
  const text = useText().event;
  const found = useQuery({ queryKey: ["event", id], queryFn: ({ signal }) => answer(api.GET("/api/v1/events/{id}", { params: { path: { id } }, signal })) });
  if (found.isPending) return <Loading />;
  if (found.isError) return <Failed error={found.error} onRetry={() => void found.refetch()} />;
  return (
    <>
      <Difference change={found.data.change} event={found.data.event} q={q} />
      <p className="small"><Link href={hrefs.event(id, q)}>{text.title} →</Link></p>
    </>
  );
}
