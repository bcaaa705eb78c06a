// What one asks next: whoever looks at refusals wants to know what got through.
import { useText } from "../i18n/i18n.ts";
import { type Term, terms, withTermReplaced } from "../query/language.ts";

const REFUSED: Record<string, RegExp> = { code: /^(40[13](,40[13])*|4xx|4xx,5xx|>=400|400\.\..+)$/, is: /^(denied|failed)$/ };

function refusal(term: Term): boolean {
  return !term.negated && term.value !== undefined && (REFUSED[term.key ?? ""]?.test(term.value) ?? false);
}

export function NextSteps({ query, onAsk }: { query: string; onAsk: (query: string) => void }) {
  const text = useText().search.steps;
  const all = terms(query);
  const refused = all.find(refusal);
  const succeeded = all.find((term) => term.text === "code:<400");
  if (!refused && !succeeded) return null;
  return (
    <div className="row next-steps" role="group" aria-label={text.label}>
      {refused ? <button type="button" className="button small" title={text.succeededHelp} onClick={() => onAsk(withTermReplaced(query, refused, "code:<400"))}>{text.succeeded}</button> : null}
      {succeeded ? <button type="button" className="button small" title={text.refusedHelp} onClick={() => onAsk(withTermReplaced(query, succeeded, "is:denied"))}>{text.refused}</button> : null}
    </div>
  );
}
