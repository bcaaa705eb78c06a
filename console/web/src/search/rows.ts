// Rows are requests: the stages of one are one row.
import type { AuditEvent } from "../api/client.ts";

export interface Row {
  /** The last stage: it tells most. */
  event: AuditEvent;
  /** The other stages, the last first. */
  others: AuditEvent[];
}

const ORDER = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

/**
 * Stages of the same request folded, in the order in which requests come. Clients choose the id of a request: user and time must be the same,
 * too, so that nobody hides what they did behind another's request.
 */
export function fold(events: readonly AuditEvent[]): Row[] {
  const rows = new Map<string, Row>();
  const seen = new Set<string>();
  for (const event of events) {
    // A page that is asked again may have moved.
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    const key = event.auditID ? JSON.stringify([event.auditID, event.cluster, event.user, event.time]) : event.id;
    const row = rows.get(key);
    if (!row) rows.set(key, { event, others: [] });
    else if (later(event, row.event)) {
      row.others.unshift(row.event);
      row.event = event;
    } else {
      row.others.push(event);
      row.others.sort((a, b) => (later(a, b) ? -1 : 1));
    }
  }
  return [...rows.values()];
}

function later(one: AuditEvent, other: AuditEvent): boolean {
  const by = ORDER.indexOf(one.stage) - ORDER.indexOf(other.stage);
  return by === 0 ? (one.stageTime ?? "") > (other.stageTime ?? "") : by > 0;
}
