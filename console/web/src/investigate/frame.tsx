// The frame of a page about something: what it is, since when it is known, how much of it there is, and its tabs.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId } from "react";
import { Link } from "wouter";
import { answer, api } from "../api/client.ts";
import { useDraft } from "../ui/draft.ts";
import { Plain, visible } from "../ui/plain.tsx";
import { useText } from "../i18n/i18n.ts";
import { searchHref, useParam } from "../query/url.ts";
import { Copy } from "../ui/copy.tsx";
import { ChoiceMenu } from "../ui/menu.tsx";
import { type Tab, Tabs } from "../ui/tabs.tsx";
import { Time } from "../ui/time.tsx";
import "../event/event.css";
import "./investigate.css";
import type { Scope } from "./scope.ts";

type Kind = "user" | "object" | "address" | "credential";

export function useStatistics(q: string, enabled = true) {
  return useQuery({ queryKey: ["statistics", q], enabled, queryFn: ({ signal }) => answer(api.GET("/api/v1/statistics", { params: { query: { q } }, signal })) });
}

/** When what `subject` finds was first and last seen, of all that is kept. */
function useSeen(subject: string, by: string) {
  return useQuery({
    queryKey: ["seen", subject, by],
    queryFn: async ({ signal }) => {
      const { rows } = await answer(api.GET("/api/v1/groups", { params: { query: { q: subject, by, top: 1000 } }, signal }));
      const times = (pick: "firstSeen" | "lastSeen") => rows.map((row) => row[pick]).sort();
      return { first: times("firstSeen")[0], last: times("lastSeen").at(-1) };
    },
  });
}

export function Page({ kind, name, subject, by, scope, tabs, note }: {
  kind: Kind;
  name: string;
  /** The terms of the subject alone, and a field that has few values in it. */
  subject: string;
  by: string;
  scope: Scope;
  tabs: readonly Tab[];
  note?: ReactNode;
}) {
  const text = useText().investigate;
  const seen = useSeen(subject, by).data;
  const [tab, setTab] = useParam("tab", tabs[0]?.id);
  const shown = tabs.find((it) => it.id === tab) ?? tabs[0];
  return (
    <div className="investigate">
      <section className="card about">
        <div className="row">
          <h1><span className="kind">{text.kind[kind]}</span> <span className="mono"><Plain text={name} limit={400} /></span></h1>
          <Copy value={name} />
          {note}
        </div>
        <p className="muted seen">
          {seen?.first && seen.last ? <>{text.firstSeen} <Time value={seen.first} as="full" /> · {text.lastSeen} <Time value={seen.last} as="full" /></> : seen ? text.neverSeen : <>&nbsp;</>}
        </p>
        <div className="row controls">
          <TimeField scope={scope} />
          <Counts scope={scope} />
        </div>
        {scope.narrowing.length > 0 ? (
          <div className="row narrowed">
            <span className="muted">{text.narrowed}</span>
            {scope.narrowing.map((it) => (
              <span key={it.part} className="chip">
                {text.kind[it.part === "actor" ? "user" : "object"]} <strong><Plain text={it.text} limit={120} /></strong>
                <button type="button" aria-label={text.remove(visible(it.text.slice(0, 120)))} onClick={it.remove}>✕</button>
              </span>
            ))}
          </div>
        ) : null}
      </section>
      <section className="card">
        <Tabs label={text.tabs.label} tabs={tabs} value={shown?.id ?? ""} onChange={setTab} />
      </section>
    </div>
  );
}

function Counts({ scope }: { scope: Scope }) {
  const text = useText().investigate;
  const all = useStatistics(scope.q).data;
  const [denied, changing] = [scope.with("is:denied"), scope.with("change:yes")];
  const refused = useStatistics(denied).data;
  const changes = useStatistics(changing).data;
  return (
    <p className="counts" role="status">
      <span className="muted">{text.inTime}:</span>{" "}
      {all ? <Link href={searchHref(scope.q)} title={text.search}>{text.events(all.events)}</Link> : "…"}
      {all ? <span className="muted"> · {text.requests(all.requests)}</span> : null}
      {refused && refused.events > 0 ? <> · <Link href={searchHref(denied)}>{text.refused(refused.events)}</Link></> : null}
      {changes && changes.events > 0 ? <> · <Link href={searchHref(changing)}>{text.changes(changes.events)}</Link></> : null}
    </p>
  );
}

/** The time, as a term of the language or as one of the common ones. */
function TimeField({ scope }: { scope: Scope }) {
  const text = useText().investigate;
  const id = useId();
  const [typed, setTyped] = useDraft(scope.time);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    scope.setTime(typed.trim());
  };
  return (
    <form className="row time" onSubmit={submit}>
      <label htmlFor={id} className="muted">{text.time}</label>
      <input id={id} className="input mono" value={typed} spellCheck={false} autoComplete="off" title={text.timeHelp} placeholder={text.times[""]} onChange={(event) => setTyped(event.target.value)} />
      <ChoiceMenu label={text.chooseTime} shown={<span aria-hidden="true">▾</span>} value={scope.time} choices={Object.entries(text.times).map(([value, label]) => ({ value, label }))} onChange={scope.setTime} />
    </form>
  );
}
