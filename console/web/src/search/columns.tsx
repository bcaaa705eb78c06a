// The columns of the table: what they show, how wide they are, and what they are called where they are exported.
import type { ReactNode } from "react";
import type { AuditEvent } from "../api/client.ts";
import { duration } from "../time.ts";
import { Code } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { visible } from "../ui/plain.tsx";

export const COLUMN_NAMES = [
  "time", "cluster", "ws", "actor", "user", "verb", "object", "resource", "ns", "name", "sub", "code", "reason", "ip", "agent", "cred", "cmd", "duration", "level", "stage", "rules", "path",
] as const;
export type ColumnName = (typeof COLUMN_NAMES)[number];

export interface Column {
  /** Of `grid-template-columns`. */
  width: string;
  /** In an export. */
  exported: readonly string[];
  text: (event: AuditEvent) => string;
  show?: (event: AuditEvent) => ReactNode;
}

/** `secrets/status payments/db`: what was acted on, as kubectl would write it. */
export function object(event: AuditEvent): string {
  if (!event.resource) return (event.requestURI ?? "").replace(/\?.*/s, "");
  const kind = event.subresource ? `${event.resource}/${event.subresource}` : event.resource;
  return [kind, [event.namespace, event.name].filter(Boolean).join("/")].filter(Boolean).join(" ");
}

function ObjectCell({ event }: { event: AuditEvent }) {
  if (!event.resource) return <span className="mono">{visible(object(event))}</span>;
  return (
    <>
      <strong>{visible(event.resource)}{event.subresource ? `/${visible(event.subresource)}` : ""}</strong>{" "}
      {event.namespace ? <span className="muted">{visible(event.namespace)}{event.name ? "/" : ""}</span> : null}
      {visible(event.name ?? "")}
    </>
  );
}

const plain = (width: string, exported: string, text: (event: AuditEvent) => string | undefined): Column => ({ width, exported: [exported], text: (event) => text(event) ?? "" });

export const COLUMNS: Record<ColumnName, Column> = {
  time: { width: "112px", exported: ["time"], text: (it) => it.time, show: (it) => <Time value={it.time} /> },
  cluster: plain("minmax(80px, 0.5fr)", "cluster", (it) => it.cluster),
  ws: plain("minmax(80px, 0.5fr)", "workspace", (it) => it.workspace),
  actor: plain("minmax(150px, 2fr)", "actor", (it) => it.actor),
  user: plain("minmax(150px, 1.4fr)", "user", (it) => it.user),
  verb: plain("minmax(78px, 0.5fr)", "verb", (it) => it.verb),
  object: { width: "minmax(200px, 2.8fr)", exported: ["resource", "subresource", "namespace", "name"], text: object, show: (it) => <ObjectCell event={it} /> },
  resource: plain("minmax(110px, 0.8fr)", "resource", (it) => it.resource),
  ns: plain("minmax(100px, 0.8fr)", "namespace", (it) => it.namespace),
  name: plain("minmax(120px, 1.4fr)", "name", (it) => it.name),
  sub: plain("minmax(90px, 0.5fr)", "subresource", (it) => it.subresource),
  code: { width: "62px", exported: ["code"], text: (it) => (it.code == null ? "" : String(it.code)), show: (it) => <Code event={it} /> },
  reason: plain("minmax(100px, 0.6fr)", "reason", (it) => it.reason),
  ip: plain("minmax(110px, 0.7fr)", "ip", (it) => it.ip),
  agent: plain("minmax(140px, 1.2fr)", "userAgent", (it) => it.userAgent),
  cred: plain("minmax(140px, 1fr)", "credential", (it) => it.credential),
  cmd: plain("minmax(140px, 1.6fr)", "command", (it) => it.command),
  duration: { ...plain("minmax(84px, 0.4fr)", "durationMicros", (it) => (it.durationMicros == null ? "" : duration(it.durationMicros))) },
  level: plain("minmax(120px, 0.6fr)", "level", (it) => it.level),
  stage: plain("minmax(140px, 0.7fr)", "stage", (it) => it.stage),
  rules: plain("minmax(160px, 1.2fr)", "rules", (it) => it.rules?.join(", ")),
  path: plain("minmax(140px, 1.4fr)", "requestURI", (it) => it.requestURI),
};

export const USUAL_COLUMNS: readonly ColumnName[] = ["time", "actor", "verb", "object", "code", "ip"];
/** In an address: the usual columns, whatever is kept on a device. */
export const USUAL = "usual";
const KEY = "vedette.columns";

/** What is written in the address or kept, as far as there are such columns; else the usual ones. */
export function columnsOf(written: string): readonly ColumnName[] {
  const known = written.split(",").filter((name): name is ColumnName => COLUMN_NAMES.some((it) => it === name));
  return known.length > 0 ? [...new Set(known)] : USUAL_COLUMNS;
}

/** The columns that were last chosen on this device. */
export function keptColumns(): string {
  return localStorage.getItem(KEY) ?? "";
}

export function keepColumns(columns: string): void {
  if (columns === "") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, columns);
}
