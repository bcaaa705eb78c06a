// Every field of an event that is worth reading, each with the searches that it leads to.
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { AuditEvent } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { is, terms, withoutTerm, withTerm } from "../query/language.ts";
import { searchHref } from "../query/url.ts";
import { duration, full, utc } from "../time.ts";
import { Copy } from "../ui/copy.tsx";
import { Long } from "./long.tsx";
import { visible } from "../ui/plain.tsx";

/** The language takes no query that is much longer. */
const SEARCHABLE = 1500;

interface Value {
  /** In the search language; absent for what can't be searched. */
  key?: string;
  text: string;
  shown?: ReactNode;
}

type Name = keyof ReturnType<typeof useText>["event"]["field"];

interface Row {
  name: Name;
  values: Value[];
  note?: string;
}

const TEXTS: readonly [Name, keyof AuditEvent, string?][] = [
  ["verb", "verb", "verb"], ["cluster", "cluster", "cluster"], ["workspace", "workspace", "ws"], ["namespace", "namespace", "ns"], ["resource", "resource", "resource"],
  ["subresource", "subresource", "sub"], ["name", "name", "name"], ["apiGroup", "apiGroup", "apigroup"], ["apiVersion", "apiVersion"], ["command", "command", "cmd"],
];
const OUTCOMES: readonly [Name, keyof AuditEvent, string?][] = [["status", "status", "status"], ["reason", "reason", "reason"], ["message", "message"]];
const LAST: readonly [Name, keyof AuditEvent, string?][] = [["requestURI", "requestURI"], ["level", "level", "level"], ["stage", "stage", "stage"], ["auditID", "auditID", "audit"], ["id", "id", "id"]];

function rowsOf(event: AuditEvent, notes: { claims: string; agent: string }): Row[] {
  const texts = (names: typeof TEXTS): Row[] => names.map(([name, member, key]) => ({ name, values: [{ key, text: String(event[member] ?? "") }] }));
  const time = (name: Name, value: string | undefined): Row => ({ name, values: [{ text: value ?? "", shown: value ? <>{full(value)} <span className="muted">({utc(value)} UTC)</span></> : null }] });
  const claims = (event.sourceIPs ?? []).slice(0, -1);
  const list = (name: Name, key: string | undefined, values: readonly string[], note?: string): Row => ({ name, note, values: values.map((text) => ({ key, text })) });
  const path = event.resource ? "" : (event.requestURI ?? "").replace(/\?.*/s, "");
  return [
    time("time", event.time),
    { name: "user", values: [{ key: "user", text: event.user ?? "" }] },
    { name: "actor", values: [{ key: "actor", text: event.actor !== event.user ? (event.actor ?? "") : "" }] },
    list("groups", "group", event.groups ?? []),
    ...texts(TEXTS),
    { name: "code", values: [{ key: "code", text: event.code == null ? "" : String(event.code) }] },
    ...texts(OUTCOMES),
    { name: "duration", values: [{ text: event.durationMicros ? duration(event.durationMicros) : "" }] },
    { name: "ip", values: [{ key: "ip", text: event.ip ?? "" }] },
    list("claims", "anyip", claims, notes.claims),
    { name: "credential", values: [{ key: "cred", text: event.credential ?? "" }] },
    { name: "userAgent", note: notes.agent, values: [{ key: "agent", text: event.userAgent ?? "" }] },
    { name: "path", values: [{ key: "path", text: path }] },
    ...texts(LAST),
    list("rules", "rule", event.rules ?? []),
    list("annotations", undefined, Object.entries(event.annotations ?? {}).map(([key, value]) => `${key}: ${value}`)),
    time("stageTime", event.stageTime),
    time("receivedTime", event.receivedTime),
  ];
}

export function Fields({ event, q }: { event: AuditEvent; q: string }) {
  const text = useText().event;
  const rows = rowsOf(event, { claims: text.claimsHelp, agent: text.agentHelp }).map((row) => ({ ...row, values: row.values.filter((it) => it.text !== "") })).filter((row) => row.values.length > 0);
  // A search that says nothing of times might not reach back as far as this.
  const base = q.trim() === "" ? `around:${event.time}/12h` : q;
  return (
    <dl className="fields">
      {rows.map((row) => (
        <div key={row.name}>
          <dt>{text.field[row.name]}</dt>
          <dd>
            {row.values.map((value, index) => <FieldValue key={index} name={text.field[row.name]} value={value} base={base} />)}
            {row.note ? <p className="muted small note">{row.note}</p> : null}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function FieldValue({ name, value, base }: { name: string; value: Value; base: string }) {
  const text = useText().event;
  const short = visible(value.text.slice(0, 80));
  const term = value.key && value.text.length <= SEARCHABLE ? is(value.key, value.text) : undefined;
  return (
    <div className="value">
      <span className="mono">{value.shown ?? <Long text={value.text} />}</span>
      <span className="actions">
        {term ? (
          <>
            <Link href={searchHref(narrowed(base, term, false))} className="button small quiet" aria-label={text.searchIs(name, short)}>{text.is}</Link>
            <Link href={searchHref(narrowed(base, term, true))} className="button small quiet" aria-label={text.searchIsNot(name, short)}>{text.isNot}</Link>
          </>
        ) : null}
        <Copy value={value.text} name={text.copyOf(name)} />
      </span>
    </div>
  );
}

/** The query with the term, or with its opposite: both at once would find nothing. */
function narrowed(query: string, term: string, negated: boolean): string {
  const [add, drop] = negated ? [`-${term}`, term] : [term, `-${term}`];
  const there = terms(query).find((it) => it.text === drop);
  const rest = there ? withoutTerm(query, there) : query;
  return withTerm(rest, add);
}

