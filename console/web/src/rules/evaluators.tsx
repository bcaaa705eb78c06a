// Who applies the rules, and whether they apply the newest.
import { visible } from "../ui/plain.tsx";
import type { Evaluator } from "../api/rules.ts";
import { number, useText } from "../i18n/i18n.ts";
import { ago } from "../time.ts";
import { Tag } from "../ui/tag.tsx";

export function Evaluators({ evaluators, generation }: { evaluators: readonly Evaluator[]; generation: number }) {
  const text = useText().rules.evaluators;
  return (
    <section className="card">
      <header><h2>{text.title}</h2><span className="muted">{evaluators.length === 0 ? text.none : text.help(generation)}</span></header>
      {evaluators.length === 0 ? null : (
        <table className="table evaluators">
          <caption className="visually-hidden">{text.title}</caption>
          <thead>
            <tr>
              <th scope="col">{text.name}</th>
              <th scope="col">{text.service}</th>
              <th scope="col">{text.version}</th>
              <th scope="col" className="number">{text.generation}</th>
              <th scope="col" className="number">{text.rules}</th>
              <th scope="col">{text.status}</th>
            </tr>
          </thead>
          <tbody>
            {evaluators.map((it) => (
              <tr key={it.name}>
                <td>{visible(it.name, 120)}</td>
                <td>{visible(it.service, 80)}</td>
                <td>{visible(it.version, 40)}</td>
                <td className="number">{it.generation}</td>
                <td className="number">{number(it.rules)}</td>
                <td><Status evaluator={it} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Status({ evaluator }: { evaluator: Evaluator }) {
  const text = useText().rules.evaluators;
  const { behindSince, lastError } = evaluator;
  return (
    <>
      {behindSince ? <><Tag tone="warn">{text.behind}</Tag> <span className="small">{text.behindSince(ago(behindSince))}</span></> : lastError ? null : <Tag tone="good">{text.current}</Tag>}
      {lastError ? <div><Tag tone="bad">{text.refused}</Tag> <span className="small">{visible(lastError, 600)}</span></div> : null}
    </>
  );
}
