// Rules that could not decide, because what they ask for is not in the events.
import { Link } from "wouter";
import type { Status } from "./types.ts";
import { number, useText } from "../i18n/i18n.ts";

export function Blind({ status }: { status: Status }) {
  const text = useText().pipeline.blind;
  const rows = [...status.blindRules].sort((a, b) => b.events - a.events);
  return (
    <section className="card" aria-labelledby="blind">
      <header><h2 id="blind">{text.title}</h2></header>
      {rows.length === 0 ? <p className="muted">{text.none}</p> : (
        <>
          <p className="small muted prose">{text.help}</p>
          <div className="scroll" role="group" aria-labelledby="blind" tabIndex={0}>
            <table className="table">
              <thead>
                <tr>
                  <th scope="col">{text.rule}</th><th scope="col">{text.field}</th><th scope="col">{text.level}</th><th scope="col" className="number">{text.events}</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(({ rule, field, level, events }) => (
                  <tr key={`${rule} ${field} ${level}`}>
                    <td><Link href={`/rules?${new URLSearchParams({ q: resourceOf(rule) })}`}>{rule}</Link></td>
                    <td><code>{field}</code></td>
                    <td>{level}</td>
                    <td className="number">{number(events)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {status.blindRulesComplete ? null : <p className="small muted">{text.incomplete}</p>}
        </>
      )}
    </section>
  );
}

/** The resource that a rule is in: what stands before the last dot, since a resource's name may hold dots. */
function resourceOf(rule: string): string {
  const dot = rule.lastIndexOf(".");
  return dot > 0 ? rule.slice(0, dot) : rule;
}
