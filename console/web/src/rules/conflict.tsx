// Two people at one rule: nobody's work is lost without somebody saying so.
import type { Rule } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { LineChanges } from "./line-changes.tsx";

export function Conflict({ before, theirs, source, onRebase }: {
  /** What the text was begun with; absent for a new rule whose name is taken. */
  before: Rule | undefined;
  /** What is there now; absent, where it was deleted. */
  theirs: Rule | undefined;
  source: string;
  onRebase: (theirs: Rule | undefined, keep: boolean) => void;
}) {
  const text = useText().rules.conflict;
  return (
    <div className="notice warn conflict" role="alert">
      {theirs === undefined ? <p><strong>{text.gone}</strong></p> : before === undefined ? <p><strong>{text.exists}</strong> {text.existsHelp}</p> : <p><strong>{text.title}</strong> {text.help}</p>}
      {theirs ? <LineChanges before={before?.source ?? source} after={theirs.source} /> : null}
      <div className="row">
        <button type="button" className="button" onClick={() => onRebase(theirs, true)}>{theirs ? text.mine : text.again}</button>
        {theirs ? <button type="button" className="button" onClick={() => onRebase(theirs, false)}>{text.theirs}</button> : null}
      </div>
    </div>
  );
}
