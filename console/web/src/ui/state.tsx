// What stands where there is nothing to show: it loads, it is empty, it failed, it is not for this viewer.
import type { ReactNode } from "react";
import { ApiError } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { Plain } from "./plain.tsx";

export function Loading() {
  const text = useText().common;
  return (
    <div className="state" role="status">
      <div className="spinner" aria-hidden="true" />
      <p>{text.loading}</p>
    </div>
  );
}

export function Empty({ title, children, actions }: { title: string; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="state">
      <h2>{title}</h2>
      {children}
      {actions ? <div className="actions">{actions}</div> : null}
    </div>
  );
}

/** Why something could not be loaded, in the viewer's language where the cause is known, with what the console said. */
export function Failed({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const text = useText().common;
  const code = error instanceof ApiError ? error.code : undefined;
  const said = error instanceof Error ? error.message : String(error);
  const [title, help] =
    code === 0 ? [text.error.title, text.error.unreachable]
    : code === 403 ? [text.error.forbidden, text.error.forbiddenHelp]
    : code === 504 ? [text.error.timeout, text.error.timeoutHelp]
    : code === 503 ? [text.error.unavailable, said]
    : [text.error.title, said];
  return (
    <div className="state" role="alert">
      <h2>{title}</h2>
      <p><Plain text={help} limit={600} /></p>
      {help === said ? null : <p className="small"><Plain text={said} limit={600} /></p>}
      {onRetry && code !== 403 ? (
        <div className="actions">
          <button type="button" className="button" onClick={onRetry}>{text.retry}</button>
        </div>
      ) : null}
    </div>
  );
}
