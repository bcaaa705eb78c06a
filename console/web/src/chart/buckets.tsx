// The same counts as a table: for those who read by ear, and those who don't drag.
import { useState } from "react";
import type { Histogram } from "../api/client.ts";
import { number, useText } from "../i18n/i18n.ts";
import { full } from "../time.ts";
import { Time } from "../ui/time.tsx";

export function BucketTable({ histogram, label, step, onRange, nameOf }: {
  histogram: Histogram;
  label: string;
  step: number;
  onRange?: (start: number, end: number) => void;
  nameOf: (series: string) => string;
}) {
  const text = useText().search.trend;
  const [open, setOpen] = useState(false);
  const series = histogram.series ?? [];
  const buckets = histogram.buckets.filter((it) => it.count > 0);
  if (buckets.length === 0) return null;
  return (
    <details className="histogram-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{text.table}</summary>
      {open ? (
        <div className="scroll" tabIndex={0} role="region" aria-label={`${label}: ${text.table}`}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{text.columns.time}</th>
                <th scope="col" className="number">{text.columns.count}</th>
                {series.map((name) => <th key={name} scope="col" className="number">{name === "…" ? text.rest : name === "" ? text.none : nameOf(name)}</th>)}
              </tr>
            </thead>
            <tbody>
              {buckets.map((it) => {
                const start = Date.parse(it.time);
                return (
                  <tr key={it.time}>
                    <th scope="row">
                      {onRange ? <button type="button" className="link" aria-label={text.zoom(full(start))} onClick={() => onRange(start, start + step)}><Time value={it.time} as="full" /></button> : <Time value={it.time} as="full" />}
                    </th>
                    <td className="number">{number(it.count)}</td>
                    {series.map((name, at) => <td key={name} className="number">{it.counts?.[at] ? number(it.counts[at]) : ""}</td>)}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      ) : null}
    </details>
  );
}
