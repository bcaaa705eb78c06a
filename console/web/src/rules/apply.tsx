// What applying would change, for somebody to confirm; and why it was not applied.
import { visible } from "../ui/plain.tsx";
import type { Rule } from "../api/rules.ts";
import { ApiError } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { Modal } from "../ui/dialog.tsx";
import { changes } from "./changes.ts";
import { isCode, partsOf } from "./data.ts";
import { Diagnostics } from "./diagnostics.tsx";
import { LineChanges } from "./line-changes.tsx";

export function ApplyDialog({ before, after, source, applying, onApply, onClose }: {
  before: Rule | undefined;
  /** What the operator would make of the text; absent while nothing is to be confirmed. */
  after: Rule | undefined;
  source: string;
  applying: boolean;
  onApply: () => void;
  onClose: () => void;
}) {
  const all = useText();
  const text = all.rules.apply;
  const name = after ? partsOf(after).name : "";
  return (
    <Modal open={after !== undefined} onClose={onClose} title={text.title(visible(name, 200))}>
      {after ? <Changed before={before} after={after} /> : null}
      {before ? (
        <details className="line-details">
          <summary>{text.lines}</summary>
          <LineChanges before={before.source} after={source} />
        </details>
      ) : null}
      <p className="small muted">{text.effect}</p>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>{all.common.cancel}</button>
        <button type="button" className="button primary" disabled={applying} onClick={onApply}>{applying ? text.applying : text.confirm}</button>
      </div>
    </Modal>
  );
}

function Changed({ before, after }: { before: Rule | undefined; after: Rule }) {
  const text = useText().rules.apply;
  const { added, removed, changed, labels } = changes(before, after);
  const list = (names: readonly string[]) => names.map((it) => visible(it, 80)).join(", ");
  const nothing = [added, removed, changed, labels].every((it) => it.length === 0);
  return (
    <ul>
      {before ? null : <li>{text.makes(visible(after.name, 300))}</li>}
      {added.length > 0 ? <li>{text.added(list(added))}</li> : null}
      {changed.length > 0 ? <li>{text.changed(list(changed))}</li> : null}
      {removed.length > 0 ? <li>{text.removed(list(removed))}</li> : null}
      {labels.length > 0 ? <li>{text.labels(list(labels))}</li> : null}
      {before && nothing ? <li>{text.same}</li> : null}
    </ul>
  );
}

/** Why it was not applied. */
export function NotApplied({ error }: { error: Error }) {
  const text = useText().rules.apply;
  const found = error instanceof ApiError ? (error.problem.diagnostics ?? []) : [];
  const title = isCode(error, 403) ? text.refused : found.length > 0 ? text.broken : text.failed;
  return (
    <div className="notice bad" role="alert">
      <strong>{title}</strong> {visible(error.message)}
      {found.length > 0 ? <Diagnostics found={found} /> : null}
    </div>
  );
}
