// What the compiler says of the text as it is.
import type { Diagnostic } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import type { Checked } from "./check.ts";
import { Diagnostics } from "./diagnostics.tsx";

export function Findings({ check, onJump }: { check: Checked; onJump: (found: Diagnostic) => void }) {
  const all = useText().rules;
  const text = all.diagnostics;
  const { answer, error, pending } = check;
  const found = answer?.diagnostics ?? [];
  const count = (severity: Diagnostic["severity"]) => found.filter((it) => it.severity === severity).length;
  return (
    <section className="card" aria-labelledby="findings">
      <header>
        <h2 id="findings">{text.title}</h2>
        <span role="status" className="row">
          {pending ? <span className="muted">{text.checking}</span> : answer ? (
            <>
              <Tag tone={answer.accepted ? "good" : "bad"}>{answer.accepted ? text.accepted : text.refused}</Tag>
              <span>{text.summary(count("error"), count("warning"))}</span>
            </>
          ) : null}
        </span>
      </header>
      {error && !pending ? <p className="notice warn" role="alert">{all.editor.checkFailed} {error.message}</p> : null}
      {answer && found.length === 0 && !pending ? <p className="muted">{text.none}</p> : null}
      <Diagnostics found={found} onJump={onJump} />
    </section>
  );
}
