// What did not come through, by reason.
import { Link } from "wouter";
import type { Status } from "./types.ts";
import { number, useText } from "../i18n/i18n.ts";

export function Drops({ status }: { status: Status }) {
  const text = useText().pipeline.losses;
  const { dropped, oversize } = status.books.total.ingest;
  const rows = Object.entries(dropped).sort(([, a], [, b]) => b - a);
  return (
    <section className="card" aria-labelledby="drops">
      <header><h2 id="drops">{text.drops}</h2></header>
      {rows.length === 0 ? <p className="muted">{text.noDrops}</p> : (
        <>
          <p className="small muted">{text.dropsHelp}</p>
          <table className="table">
            <thead><tr><th scope="col">{text.reason}</th><th scope="col" className="number">{text.events}</th></tr></thead>
            <tbody>{rows.map(([reason, events]) => <tr key={reason}><td><code>{reason}</code></td><td className="number">{number(events)}</td></tr>)}</tbody>
          </table>
        </>
      )}
      {oversize > 0 ? <p className="small muted">{text.oversize(oversize)}</p> : null}
    </section>
  );
}

export function DeadReasons({ status: { deadLetters } }: { status: Status }) {
  const text = useText().pipeline.losses;
  const rows = [...(deadLetters?.reasons ?? [])].sort((a, b) => b.messages - a.messages);
  return (
    <section className="card" aria-labelledby="dead-reasons">
      <header><h2 id="dead-reasons">{text.dead}</h2></header>
      {deadLetters === null ? <p className="muted">{text.deadUnknown}</p> : rows.length === 0 && deadLetters.complete ? <p className="muted">{text.noDead}</p> : (
        <>
          <p className="small muted">{text.deadHelp}</p>
          <table className="table">
            <thead><tr><th scope="col">{text.service}</th><th scope="col">{text.reason}</th><th scope="col" className="number">{text.letters}</th></tr></thead>
            <tbody>
              {rows.map(({ service, reason, messages }) => (
                <tr key={`${service} ${reason}`}>
                  <td>{service}</td>
                  <td><Link href={`/pipeline?${new URLSearchParams({ tab: "dead", service, reason })}`} aria-label={`${text.look}: ${service}, ${reason}`}><code>{reason}</code></Link></td>
                  <td className="number">{number(messages)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {deadLetters.complete ? null : <p className="small muted">{text.deadIncomplete}</p>}
        </>
      )}
    </section>
  );
}
