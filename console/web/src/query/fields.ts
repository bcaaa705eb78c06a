// The fields of an event that people search by: their key in the search language, their name where the API groups by them.
import type { AuditEvent } from "../api/client.ts";

export interface Field {
  /** In the search language. */
  key: string;
  /** Where the API groups and facets; absent for what it does not. */
  by?: string;
  of: (event: AuditEvent) => string;
}

export const FIELDS = [
  { key: "actor", by: "actor", of: (it) => it.actor },
  { key: "user", by: "user", of: (it) => it.user },
  { key: "verb", by: "verb", of: (it) => it.verb },
  { key: "cluster", by: "cluster", of: (it) => it.cluster },
  { key: "ws", by: "workspace", of: (it) => it.workspace ?? "" },
  { key: "ns", by: "namespace", of: (it) => it.namespace ?? "" },
  { key: "resource", by: "resource", of: (it) => it.resource ?? "" },
  { key: "sub", by: "subresource", of: (it) => it.subresource ?? "" },
  { key: "name", by: "name", of: (it) => it.name ?? "" },
  { key: "code", by: "code", of: (it) => (it.code == null ? "" : String(it.code)) },
  { key: "ip", by: "ip", of: (it) => it.ip ?? "" },
  { key: "cred", by: "credential", of: (it) => it.credential ?? "" },
  { key: "cmd", by: "command", of: (it) => it.command ?? "" },
  { key: "agent", by: "userAgent", of: (it) => it.userAgent ?? "" },
  { key: "apigroup", by: "apiGroup", of: (it) => it.apiGroup ?? "" },
  { key: "reason", by: "reason", of: (it) => it.reason ?? "" },
  { key: "status", by: "status", of: (it) => it.status ?? "" },
  { key: "level", by: "level", of: (it) => it.level },
  { key: "stage", by: "stage", of: (it) => it.stage },
  { key: "path", by: "path", of: (it) => (it.resource ? "" : (it.requestURI ?? "").replace(/\?.*/s, "")) },
] as const satisfies readonly Field[];
