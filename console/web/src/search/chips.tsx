// The terms of the query, each to be taken away, turned round, or changed.
import { useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { isTime, literal, type Term, terms, withTermNegated, withTermReplaced, withoutTerm } from "../query/language.ts";
import { visible } from "../ui/plain.tsx";
import { keyOf, written } from "./keys.ts";
import { Popover } from "./popover.tsx";
import { ValueBox } from "./values.tsx";

export function Chips({ query, onAsk }: { query: string; onAsk: (query: string) => void }) {
  const text = useText().search.chips;
  // The time has its own button.
  const shown = terms(query).filter((term) => !isTime(term));
  if (shown.length === 0) return null;
  return (
    <ul className="chips" aria-label={text.label}>
      {shown.map((term) => <Chip key={`${term.start} ${term.text}`} term={term} query={query} onAsk={onAsk} />)}
      {shown.length > 1 ? (
        <li><button type="button" className="button quiet small" onClick={() => onAsk(terms(query).filter(isTime).map((term) => term.text).join(" "))}>{text.clear}</button></li>
      ) : null}
    </ul>
  );
}

function Chip({ term, query, onAsk }: { term: Term; query: string; onAsk: (query: string) => void }) {
  const text = useText().search;
  const name = visible(term.text);
  const fuzzy = term.value?.startsWith("~") ?? false;
  const said = term.negated ? text.chips.isNot : fuzzy ? text.chips.contains : text.chips.is;
  return (
    <li className="chip" data-negated={term.negated || undefined}>
      {term.key === undefined ? (
        <>
          {term.negated ? <button type="button" onClick={() => onAsk(withTermNegated(query, term))} aria-label={text.chips.turn(text.chips.isNot, name)} className="turn">{text.chips.isNot}</button> : null}
          <span className="chip-text mono" title={name}>{visible(term.text.replace(/^(not\s+|[-!])/i, ""))}</span>
        </>
      ) : (
        <>
          <span className="chip-key">{term.key}</span>
          <button type="button" className="turn" onClick={() => onAsk(withTermNegated(query, term))} aria-label={text.chips.turn(said, name)} title={text.chips.turn(said, name)}>{said}</button>
          <Edit term={term} query={query} onAsk={onAsk} />
        </>
      )}
      <button type="button" className="remove" onClick={() => onAsk(withoutTerm(query, term))} aria-label={text.chips.remove(name)} title={text.chips.remove(name)}>✕</button>
    </li>
  );
}

function Edit({ term, query, onAsk }: { term: Term; query: string; onAsk: (query: string) => void }) {
  const text = useText().search.chips;
  const [open, setOpen] = useState(false);
  const raw = term.value ?? "";
  const operator = /^(:=|:~|~|>=|<=|>|<|=)/.exec(raw)?.[0] ?? "";
  const plain = raw.slice(operator.length);
  const [value, setValue] = useState(literal(plain) ?? plain);
  const key = keyOf(term.key ?? "");
  const apply = () => {
    setOpen(false);
    if (value === (literal(plain) ?? plain)) return;
    // What was a list or a pattern is written as such again; a single value may become anything.
    const next = literal(plain) === undefined || !key ? value : written(key.name, value);
    const sign = term.negated ? "-" : "";
    onAsk(withTermReplaced(query, term, `${sign}${term.key}${operator === "" ? ":" : operator}${next}`));
  };
  const shown = <span className="mono">{visible(literal(plain) === "" ? '""' : `${operator.replace(/^:?~$/, "")}${literal(plain) ?? plain}`)}</span>;
  if (!key) return <span className="chip-text">{shown}</span>;
  return (
    <Popover label={text.edit(visible(term.text))} shown={shown} title={text.edit(visible(term.text))} className="chip-text" open={open} onOpen={(next) => { setValue(literal(plain) ?? plain); setOpen(next); }}>
      <form className="popover-form" onSubmit={(event) => { event.preventDefault(); apply(); }}>
        <label className="field"><span>{text.value}</span><ValueBox field={key} rest={withoutTerm(query, term)} label={text.value} value={value} onChange={setValue} onEnter={apply} /></label>
        <div className="row"><button type="submit" className="button primary">{text.apply}</button></div>
      </form>
    </Popover>
  );
}
