// The compiler's findings as a list: for those who can't see what is underlined, and to go to a place.
import { visible } from "../ui/plain.tsx";
import type { Diagnostic } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { Tag, type Tone } from "../ui/tag.tsx";

const TONES: Record<Diagnostic["severity"], Tone> = { error: "bad", warning: "warn", note: "plain" };
const WEIGHTS: Record<Diagnostic["severity"], number> = { error: 0, warning: 1, note: 2 };

export function Diagnostics({ found, onJump }: { found: readonly Diagnostic[]; onJump?: (found: Diagnostic) => void }) {
  const text = useText().rules.diagnostics;
  if (found.length === 0) return null;
  const sorted = [...found].sort((a, b) => WEIGHTS[a.severity] - WEIGHTS[b.severity] || (a.line ?? 0) - (b.line ?? 0));
  return (
    <ul className="diagnostics">
      {sorted.map((it, index) => (
        <li key={index}>
          <div className="row">
            <Tag tone={TONES[it.severity]}>{text.severities[it.severity]}</Tag>
            <code>{it.code}</code>
            <Place found={it} {...(onJump ? { onJump } : {})} />
          </div>
          <p>{visible(it.message)}</p>
          {it.help ? <p className="muted">{text.help} {visible(it.help)}</p> : null}
        </li>
      ))}
    </ul>
  );
}

function Place({ found, onJump }: { found: Diagnostic; onJump?: (found: Diagnostic) => void }) {
  const text = useText().rules.diagnostics;
  const path = found.path ? <code className="muted">{visible(found.path, 200)}</code> : null;
  if (found.document !== "source") return <><span className="small muted">{text.of(visible(found.document, 200))}</span>{path}</>;
  if (!found.line) return path;
  const column = found.column ?? 1;
  return (
    <>
      {onJump
        ? <button type="button" className="button small" onClick={() => onJump(found)}>{text.jump(found.line, column)}</button>
        : <span className="small">{text.at(found.line, column)}</span>}
      {path}
    </>
  );
}
