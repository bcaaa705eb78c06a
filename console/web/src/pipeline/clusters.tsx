// The books of each cluster. Those that don't balance come first.
import { useState } from "react";
import type { Books, Sums } from "./types.ts";
import { number, useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import { clusterHolds, type TermName } from "./equations.ts";
import { total } from "./status.ts";

/** How many are shown before somebody asks for all of them: there may be thousands. */
const SHOWN = 20;

const COLUMNS: [TermName, (sums: Sums) => number][] = [
  ["received", (it) => it.ingest.received],
  ["dropped", (it) => total(it.ingest.dropped)],
  ["deadLettered", (it) => total(it.ingest.deadLettered) + it.archive.deadLettered + it.alert.deadLettered],
  ["evaluated", (it) => it.archive.evaluated],
  ["ignored", (it) => it.archive.ignored],
  ["stored", (it) => it.archive.stored],
  ["duplicate", (it) => it.archive.duplicate],
  ["alerts", (it) => it.alert.alerts],
  ["sent", (it) => it.alert.sent],
  ["unrouted", (it) => it.alert.unrouted],
];

export function Clusters({ books }: { books: Books }) {
  const text = useText().pipeline;
  const [all, setAll] = useState(false);
  const rows = Object.entries(books.clusters)
    .map(([cluster, sums]) => ({ cluster, sums, holds: clusterHolds(sums, books.settled) }))
    .sort((a, b) => Number(a.holds) - Number(b.holds) || b.sums.ingest.received - a.sums.ingest.received || a.cluster.localeCompare(b.cluster));
  const shown = all ? rows : rows.slice(0, SHOWN);
  return (
    <section className="card" aria-labelledby="clusters">
      <header><h2 id="clusters">{text.clusters.title}</h2></header>
      {rows.length === 0 ? <p className="muted">{text.clusters.none}</p> : (
        // It can be scrolled with the keyboard where it is wider than the page.
        <div className="scroll" role="group" aria-labelledby="clusters" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{text.clusters.cluster}</th>
                <th scope="col">{text.clusters.state}</th>
                {COLUMNS.map(([name]) => <th key={name} scope="col" className="number">{text.terms[name]}</th>)}
              </tr>
            </thead>
            <tbody>
              {shown.map(({ cluster, sums, holds }) => (
                <tr key={cluster}>
                  <th scope="row">{cluster}</th>
                  <td><Tag tone={holds ? "good" : "bad"}>{holds ? text.clusters.balanced : text.clusters.differs}</Tag></td>
                  {COLUMNS.map(([name, of]) => <td key={name} className="number">{number(of(sums))}</td>)}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown.length < rows.length ? <button type="button" className="button" onClick={() => setAll(true)}>{text.clusters.showAll(rows.length)}</button> : null}
    </section>
  );
}
