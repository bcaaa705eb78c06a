// What must be equal, with the terms that it is made of, so that a difference can be followed to the cluster that it is of.
import type { Books, Equation, Sums } from "./types.ts";
import { total } from "./status.ts";

export type TermName =
  | "received" | "published" | "dropped" | "deadLettered" | "evaluated" | "archived" | "alertedOnly" | "ignored" | "stored" | "duplicate"
  | "rejected" | "requeued" | "alerts" | "sent" | "unrouted" | "evaluatedForArchive" | "evaluatedForAlerts";

export interface Term {
  name: TermName;
  value: number;
}

export interface Sides {
  left: Term[];
  right: Term[];
}

type Of = (sums: Sums) => number;

interface Made {
  left: [TermName, Of][];
  right: [TermName, Of][];
}

/** By the name that the status gives them. One that is not here is shown by that name. */
const MADE: Record<string, Made> = {
  "received + requeued = published + dropped + dead-lettered": {
    left: [["received", (it) => it.ingest.received], ["requeued", (it) => it.ingest.requeued]],
    right: [["published", (it) => it.ingest.published], ["dropped", (it) => total(it.ingest.dropped)], ["deadLettered", (it) => total(it.ingest.deadLettered)]],
  },
  "published = evaluated": {
    left: [["published", (it) => it.ingest.published]],
    right: [["evaluated", (it) => it.archive.evaluated]],
  },
  "evaluated = archived + alerted only + ignored + dead-lettered": {
    left: [["evaluated", (it) => it.archive.evaluated]],
    right: [
      ["archived", (it) => it.archive.archived], ["alertedOnly", (it) => it.archive.alertedOnly], ["ignored", (it) => it.archive.ignored],
      ["deadLettered", (it) => it.archive.deadLettered],
    ],
  },
  "archived + requeued = stored + duplicate + rejected": {
    left: [["archived", (it) => it.archive.archived], ["requeued", (it) => it.archive.requeued]],
    right: [["stored", (it) => it.archive.stored], ["duplicate", (it) => it.archive.duplicate], ["rejected", (it) => it.archive.rejected]],
  },
  "alerts + requeued = sent + unrouted + rejected": {
    left: [["alerts", (it) => it.alert.alerts], ["requeued", (it) => it.alert.requeued]],
    right: [["sent", (it) => it.alert.sent], ["unrouted", (it) => it.alert.unrouted], ["rejected", (it) => it.alert.rejected]],
  },
  "evaluated for the archive = evaluated for alerts": {
    left: [["evaluatedForArchive", (it) => it.archive.evaluated]],
    right: [["evaluatedForAlerts", (it) => it.alert.evaluated]],
  },
};

const BETWEEN = "evaluated for the archive = evaluated for alerts";

export function sides(equation: Equation, sums: Sums): Sides | undefined {
  const made = MADE[equation.name];
  if (!made) return undefined;
  const term = ([name, of]: [TermName, Of]): Term => ({ name, value: of(sums) });
  return { left: made.left.map(term), right: made.right.map(term) };
}

/** By how much an equation fails in one cluster. */
export function difference(name: string, sums: Sums): number {
  const made = MADE[name];
  if (!made) return 0;
  const side = (terms: [TermName, Of][]) => terms.reduce((sum, [, of]) => sum + of(sums), 0);
  return side(made.left) - side(made.right);
}

/** The clusters in which it does, the worst first. */
export function culprits(name: string, books: Books): { cluster: string; by: number }[] {
  return Object.entries(books.clusters)
    .map(([cluster, sums]) => ({ cluster, by: difference(name, sums) }))
    .filter(({ by }) => by !== 0)
    .sort((a, b) => Math.abs(b.by) - Math.abs(a.by));
}

/** Whether an equation may differ for now: what is between the two evaluations is on its way. */
export function underWay(equation: Equation, books: Books): boolean {
  return !equation.holds && equation.name === BETWEEN && books.balanced;
}

/** Whether a cluster's own books hold: the last equation only once nothing is on its way. */
export function clusterHolds(sums: Sums, settled: boolean): boolean {
  return Object.keys(MADE).every((name) => (name === BETWEEN && !settled) || difference(name, sums) === 0);
}

export type Verdict = "settled" | "underWay" | "reading" | "unknown" | "unbalanced";

export function verdict({ balanced, settled, complete, inFlight, equations }: Books): Verdict {
  // What is written down of a batch balances by itself: sums that don't will not, however much is read or comes.
  if (equations.some((it) => !it.holds && it.name !== BETWEEN)) return "unbalanced";
  if (inFlight === null) return "unknown";
  if (!complete) return "reading";
  if (!balanced) return "unbalanced";
  return settled ? "settled" : "underWay";
}
