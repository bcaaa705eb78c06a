// Whose view this is: a tag in the bar above every page, and for who sees only a part a line that says so until it is put away.
import { useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { useMe } from "./me.ts";
import "./session.css";

const AWAY = "vedette.view.read";

/** Whether the line is shown; put away for as long as the tab is there. */
export function useViewLine(): [boolean, (shown: boolean) => void] {
  const [shown, setShown] = useState(() => sessionStorage.getItem(AWAY) === null);
  const set = (next: boolean) => {
    if (next) sessionStorage.removeItem(AWAY);
    else sessionStorage.setItem(AWAY, "1");
    setShown(next);
  };
  return [shown, set];
}

export function ViewTag({ open, onOpen }: { open: boolean; onOpen: (open: boolean) => void }) {
  const text = useText().session;
  const me = useMe().data;
  if (!me) return null;
  const name = <bdi className="name" title={me.name}>{me.name}</bdi>;
  if (me.everything) return <span className="view-of" title={text.everythingHelp}>{name}<span> · {text.everything}</span></span>;
  return (
    <button type="button" className="view-of tenant" aria-expanded={open} aria-controls="view-line" onClick={() => onOpen(!open)}>
      {name}<span> · {text.tenant}</span>
    </button>
  );
}

export function ViewLine({ onClose }: { onClose: () => void }) {
  const { common, session: text } = useText();
  const me = useMe().data;
  if (!me || me.everything) return null;
  return (
    <div className="view-line" id="view-line" role="note">
      <p><strong>{text.tenantLine}</strong> {text.tenantHelp}</p>
      <button type="button" className="button small" onClick={onClose}>{common.close}</button>
    </div>
  );
}
