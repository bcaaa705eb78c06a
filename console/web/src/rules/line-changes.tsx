// Two texts, line by line; what is the same is folded but for what stands around a change.
import { number, useText } from "../i18n/i18n.ts";
import { type Line, lines } from "./changes.ts";

/** Lines around a change that are shown. */
const AROUND = 2;
/** Lines that are shown at most: a text may be replaced as a whole. */
const MOST = 600;

export function LineChanges({ before, after }: { before: string; after: string }) {
  const text = useText().rules.apply;
  const all = lines(before, after).slice(0, MOST);
  const near = all.map((_, at) => all.slice(Math.max(0, at - AROUND), at + AROUND + 1).some((it) => it.kind !== "same"));
  const shown: (Line | number)[] = [];
  all.forEach((line, at) => {
    const last = shown.at(-1);
    if (near[at]) shown.push(line);
    else if (typeof last === "number") shown[shown.length - 1] = last + 1;
    else shown.push(1);
  });
  return (
    <ol className="line-changes">
      {shown.map((it, at) => typeof it === "number"
        ? <li key={at} className="folded">⋯ {text.unchangedLines(it)}</li>
        : (
          <li key={at} className={it.kind}>
            {it.kind === "same" ? null : <span className="visually-hidden">{it.kind === "added" ? text.lineAdded : text.lineRemoved}: </span>}
            <span aria-hidden="true">{it.kind === "added" ? "+" : it.kind === "removed" ? "−" : " "}</span> {it.text}
          </li>
        ))}
      {all.length === MOST ? <li className="folded">⋯ {number(MOST)}</li> : null}
    </ol>
  );
}
