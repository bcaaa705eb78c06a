// What an event's parts lead to: pages and searches that carry actor, object and time along.
import type { AuditEvent } from "../api/client.ts";
import { around, is, timeOf } from "../query/language.ts";
import { hrefs } from "../query/url.ts";

/** The time that pages reached from an event look at: that of the search that one came from, else around the event. */
export function timeFor(event: AuditEvent, q: string): string {
  return timeOf(q) || `around:${event.time}/12h`;
}

/** The object of an event as parameters of a page; empty where it has none. */
export function objectParams(event: AuditEvent): Record<string, string> {
  if (!event.resource) return {};
  return { cluster: event.cluster ?? "", ns: event.namespace ?? "", resource: event.resource, name: event.name ?? "" };
}

export function eventHrefs(event: AuditEvent, q: string) {
  const time = timeFor(event, q);
  const object = objectParams(event);
  const actor = event.actor ?? "";
  return {
    user: event.user ? hrefs.user(event.user, { ...object, time }) : undefined,
    actor: actor ? hrefs.user(actor, { ...object, time }) : undefined,
    object: event.resource ? hrefs.object({ cluster: event.cluster ?? "", namespace: event.namespace ?? "", resource: event.resource, name: event.name ?? "" }, { actor, time }) : undefined,
    address: event.ip ? hrefs.address(event.ip, { actor, ...object, time }) : undefined,
    credential: event.credential ? hrefs.credential(event.credential, { actor, ...object, time }) : undefined,
  };
}

/** The terms that find an object's events. A query can't tell an object of the cluster from all namespaces. */
export function objectTerms(object: { cluster?: string; namespace?: string; resource: string; name?: string }): string {
  const { cluster, namespace = "", resource, name } = object;
  return [cluster ? is("cluster", cluster) : "", is("ns", namespace), is("resource", resource), name ? is("name", name) : ""].filter(Boolean).join(" ");
}

/** What else was done around an event: the kind of question, and the query. */
export function aroundQueries(event: AuditEvent): { kind: "actor" | "object" | "address" | "credential"; q: string }[] {
  const time = around(event.time, 15);
  const found: { kind: "actor" | "object" | "address" | "credential"; q: string }[] = [];
  if (event.actor) found.push({ kind: "actor", q: `${is("actor", event.actor)} ${time}` });
  if (event.resource && event.name) found.push({ kind: "object", q: `${objectTerms({ cluster: event.cluster, namespace: event.namespace, resource: event.resource, name: event.name })} ${time}` });
  if (event.ip) found.push({ kind: "address", q: `${is("ip", event.ip)} ${time}` });
  if (event.credential) found.push({ kind: "credential", q: `${is("cred", event.credential)} ${time}` });
  return found;
}

/** Whether two records are of the same request: its id alone does not tell, for clients choose it. */
export function sameRequest(one: AuditEvent, other: AuditEvent): boolean {
  return one.auditID === other.auditID && one.user === other.user && one.actor === other.actor && one.verb === other.verb && one.resource === other.resource && one.name === other.name && one.time === other.time;
}

/** The record of a request that knows most of it: the last stage that is kept. */
export function lastStage(event: AuditEvent, stages: readonly AuditEvent[]): AuditEvent {
  return stages.filter((it) => sameRequest(event, it)).reduce((last, it) => ((it.stageTime ?? "") > (last.stageTime ?? "") ? it : last), event);
}
