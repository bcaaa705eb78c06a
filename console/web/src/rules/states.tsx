// What stands where there are no rules to show.
import type { ReactNode } from "react";
import { Link } from "wouter";
import { visible } from "../ui/plain.tsx";
import { useText } from "../i18n/i18n.ts";
import { Empty, Failed } from "../ui/state.tsx";
import { isCode, useManaged } from "./data.ts";

export function Unmanaged({ said }: { said?: string }) {
  const text = useText().rules.unmanaged;
  return (
    <Instead>
      <Empty title={text.title}>
        <p>{text.help}</p>
        {said ? <p className="small">{said}</p> : null}
      </Empty>
    </Instead>
  );
}

/** The page's title stays, whatever stands below it. */
function Instead({ children }: { children: ReactNode }) {
  const text = useText().rules;
  return <><h1>{text.title}</h1>{children}</>;
}

/** Why rules, or the rule of this name, are not shown. */
export function RulesFailed({ error, name, onRetry }: { error: unknown; name?: string; onRetry: () => void }) {
  const text = useText().rules;
  const managed = useManaged();
  const said = error instanceof Error ? error.message : String(error);
  if (isCode(error, 403)) {
    return (
      <Instead>
        <Empty title={text.forbidden.title}>
          <p>{text.forbidden.help}</p>
          <p className="small">{said}</p>
        </Empty>
      </Instead>
    );
  }
  if (isCode(error, 404)) {
    if (name === undefined || managed === false) return <Unmanaged said={said} />;
    return (
      <Instead>
        <Empty title={text.missing.title(visible(name, 200))} actions={<Link href="/rules" className="button">{text.back}</Link>}>
          <p>{text.missing.help}</p>
          <p className="small">{said}</p>
        </Empty>
      </Instead>
    );
  }
  return <Instead><Failed error={error} onRetry={onRetry} /></Instead>;
}
