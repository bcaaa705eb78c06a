// What a Rule resource consists of, as cards: rules first, then what they use.
import { useState } from "react";
import { plain } from "../alerts/plain.ts";
import { Priority } from "../alerts/tags.tsx";
import type { Entry } from "../api/pending-rules.ts";
import { useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import { Hits } from "./hits.tsx";

const KINDS = ["rule", "macro", "list", "alias"] as const;
/** Values of a list that are shown at first. */
const MOST = 40;

export function Entries({ entries, resource }: { entries: readonly Entry[]; resource: string }) {
  const text = useText().rules;
  if (entries.length === 0) return <p className="muted">{text.entryless}</p>;
  return KINDS.map((kind) => {
    const some = entries.filter((it) => it.kind === kind);
    if (some.length === 0) return null;
    return (
      <section key={kind} className="entries" aria-label={text.kinds[kind]}>
        <h2>{text.kinds[kind]}</h2>
        <div className={kind === "rule" ? "entry-cards" : "entry-cards narrow"}>
          {some.map((entry) => (
            <article key={entry.name} className="card">
              <header>
                <h3>{plain(entry.name, 200)}</h3>
                {entry.priority ? <Priority priority={plain(entry.priority, 20)} /> : null}
                {entry.enabled === false ? <Tag tone="warn">{text.disabled}</Tag> : null}
              </header>
              {entry.desc ? <p className="muted">{plain(entry.desc)}</p> : null}
              {kind === "rule" ? <RuleBody entry={entry} resource={resource} /> : kind === "list" ? <Values values={entry.list ?? []} /> : <pre>{plain(entry.macro ?? entry.alias ?? "", 10_000)}</pre>}
            </article>
          ))}
        </div>
      </section>
    );
  });
}

function RuleBody({ entry, resource }: { entry: Entry; resource: string }) {
  const text = useText().rules;
  return (
    <>
      <dl className="rule-body">
        <dt>{text.condition}</dt>
        <dd><pre>{plain(entry.condition ?? "", 10_000)}</pre></dd>
        {entry.exceptions?.length ? (
          <>
            <dt>{text.exceptions}</dt>
            {entry.exceptions.map((it, index) => <dd key={index}><pre>{plain(it, 10_000)}</pre></dd>)}
          </>
        ) : null}
        <dt>{text.output}</dt>
        <dd>{entry.output ? <pre>{plain(entry.output, 10_000)}</pre> : <span className="muted">{text.noOutput}</span>}</dd>
      </dl>
      <Hits rule={`${resource}.${entry.name}`} />
    </>
  );
}

function Values({ values }: { values: readonly string[] }) {
  const text = useText().rules;
  const [all, setAll] = useState(false);
  return (
    <>
      <p className="small muted">{text.values(values.length)}</p>
      <p className="values">{(all ? values : values.slice(0, MOST)).map((it, index) => <code key={index}>{plain(it, 300)}</code>)}</p>
      {!all && values.length > MOST ? <button type="button" className="button small" onClick={() => setAll(true)}>{text.showAll}</button> : null}
    </>
  );
}
