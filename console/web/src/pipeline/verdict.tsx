// Whether everything is accounted for: said in a sentence, and shown as the sums that must be equal.
import type { Books, Equation } from "./types.ts";
import { number, useText } from "../i18n/i18n.ts";
import { Tag, type Tone } from "../ui/tag.tsx";
import { culprits, sides, type Term, underWay, type Verdict as Kind, verdict } from "./equations.ts";

const MARKS: Record<Kind, { tone: Tone; mark: string }> = {
  settled: { tone: "good", mark: "✓" },
  underWay: { tone: "good", mark: "…" },
  reading: { tone: "plain", mark: "…" },
  unknown: { tone: "warn", mark: "?" },
  unbalanced: { tone: "bad", mark: "≠" },
};
/** Clusters that are named beside an equation. */
const NAMED = 5;

export function Verdict({ books }: { books: Books }) {
  const text = useText().pipeline;
  const kind = verdict(books);
  const { tone, mark } = MARKS[kind];
  const { inFlight, total } = books;
  const onTheWay = inFlight ? inFlight.archiveEvents + inFlight.archiveResults + inFlight.alertEvents + inFlight.alertResults : 0;
  const help: Record<Kind, string> = {
    settled: text.verdict.settledHelp(total.ingest.received),
    underWay: text.verdict.underWayHelp(onTheWay),
    reading: text.verdict.readingHelp,
    unknown: text.verdict.unknownHelp,
    unbalanced: text.verdict.unbalancedHelp,
  };
  return (
    <section className={`card verdict ${tone}`} aria-label={text.verdict.label}>
      <div className="says">
        <span className="mark" aria-hidden="true">{mark}</span>
        <div>
          {/* Heard only when the verdict changes, not with every poll. */}
          <div role="status"><h2>{text.verdict[kind]}</h2></div>
          <p>{help[kind]}</p>
          {books.repeatedEntries > 0 ? <p className="small muted">{text.verdict.repeated(books.repeatedEntries)}</p> : null}
        </div>
      </div>
      <h3>{text.equations.title}</h3>
      <ul className="equations">
        {books.equations.map((equation) => <Sum key={equation.name} equation={equation} books={books} />)}
      </ul>
    </section>
  );
}

function Sum({ equation, books }: { equation: Equation; books: Books }) {
  const text = useText().pipeline;
  const terms = sides(equation, books.total);
  const moving = underWay(equation, books);
  const by = equation.left - equation.right;
  const state = equation.holds ? "good" : moving ? "plain" : "bad";
  const found = equation.holds || moving ? [] : culprits(equation.name, books);
  return (
    <li className={`equation ${state}`}>
      <span className="sum">
        {terms ? (
          <>
            <Terms of={terms.left} />
            <span className="sign">{equation.holds ? "=" : "≠"}</span>
            <Terms of={terms.right} />
          </>
        ) : (
          <span className="term"><b>{number(equation.left)} {equation.holds ? "=" : "≠"} {number(equation.right)}</b> <small>{equation.name}</small></span>
        )}
      </span>
      <span className="outcome">
        <Tag tone={state}>{equation.holds ? text.equations.holds : moving ? text.equations.underWay : text.equations.differs}</Tag>
        {equation.holds ? null : <span className="small">{by > 0 ? text.equations.more(by) : text.equations.fewer(-by)}</span>}
        {found.slice(0, NAMED).map((it) => <Tag key={it.cluster} tone="bad">{text.equations.inCluster(it.cluster, it.by)}</Tag>)}
        {found.length > NAMED ? <span className="small">+{number(found.length - NAMED)}</span> : null}
      </span>
    </li>
  );
}

function Terms({ of }: { of: Term[] }) {
  const text = useText().pipeline.terms;
  return of.map((term, at) => (
    <span className="addend" key={term.name}>
      {at > 0 ? <span className="sign">+</span> : null}
      <span className="term"><b>{number(term.value)}</b> <small>{text[term.name]}</small></span>
    </span>
  ));
}
