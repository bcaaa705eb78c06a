// What a Rule resource consists of, as cards: rules first, then what they use.
import { type ReactNode, useState } from "react";
import { visible } from "../ui/plain.tsx";
import { Priority } from "../alerts/tags.tsx";
import type { Entry } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import { Hits } from "./hits.tsx";

/** Values of a list that are shown at first. */
const MOST = 40;

export function Entries({ entries, resource }: { entries: readonly Entry[]; resource: string }) {
  const text = useText().rules;
  if (entries.length === 0) return <p className="muted">{text.entryless}</p>;
  const [rules, others] = [entries.filter((it) => it.kind === "rule"), entries.filter((it) => it.kind !== "rule")];
  return (
    <>
      {rules.length === 0 ? null : (
        <section className="entries" aria-labelledby="entry-rules">
          <h2 id="entry-rules">{text.tabs.entries}</h2>
          <div className="entry-cards">{rules.map((it) => <EntryCard key={it.name} entry={it}><RuleBody entry={it} resource={resource} /></EntryCard>)}</div>
        </section>
      )}
      {others.length === 0 ? null : (
        <section className="entries" aria-labelledby="entry-others">
          <h2 id="entry-others">{text.others}</h2>
          <div className="entry-cards narrow">
            {others.map((it) => (
              <EntryCard key={it.name} entry={it}>
                {it.kind === "list" ? <Values values={it.list ?? []} /> : <pre>{visible(it.macro ?? it.alias ?? "", 10_000)}</pre>}
              </EntryCard>
            ))}
          </div>
        </section>
      )}
    </>
  );
}

function EntryCard({ entry, children }: { entry: Entry; children: ReactNode }) {
  const text = useText().rules;
  return (
    <article className="card">
      <header>
        <h3>{visible(entry.name, 200)}</h3>
        {entry.kind === "rule" ? null : <Tag>{text.kinds[entry.kind]}</Tag>}
        {entry.priority ? <Priority priority={visible(entry.priority, 20)} /> : null}
        {entry.enabled === false ? <Tag>{text.disabled}</Tag> : null}
      </header>
      {entry.desc ? <p className="muted">{visible(entry.desc)}</p> : null}
      {children}
    </article>
  );
}

function RuleBody({ entry, resource }: { entry: Entry; resource: string }) {
  const text = useText().rules;
  return (
    <>
      <dl className="rule-body">
        <dt>{text.condition}</dt>
        <dd><pre>{visible(entry.condition ?? "", 10_000)}</pre></dd>
        {entry.exceptions?.length ? (
          <>
            <dt>{text.exceptions}</dt>
            {entry.exceptions.map((it, index) => <dd key={index}><pre>{visible(it, 10_000)}</pre></dd>)}
          </>
        ) : null}
        <dt>{text.output}</dt>
        <dd>{entry.output ? <pre>{visible(entry.output, 10_000)}</pre> : <span className="muted">{text.noOutput}</span>}</dd>
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
      <p className="values">{(all ? values : values.slice(0, MOST)).map((it, index) => <code key={index}>{visible(it, 300)}</code>)}</p>
      {!all && values.length > MOST ? <button type="button" className="button small" onClick={() => setAll(true)}>{text.showAll}</button> : null}
    </>
  );
}
