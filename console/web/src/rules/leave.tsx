// Nobody loses what they wrote by a click on a link, by going back, or by closing the tab.
import { useCallback, useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { useText } from "../i18n/i18n.ts";
import { Modal } from "../ui/dialog.tsx";
import { holdUnsaved } from "../ui/reload.ts";

/** The part of the Navigation API that is used; where a browser does not have it, closing the tab alone is asked about. */
interface NavigateEvent extends Event {
  destination: { url: string; key: string };
  navigationType: "push" | "replace" | "reload" | "traverse";
}
interface Navigation extends EventTarget {
  traverseTo: (key: string) => unknown;
}

const navigation = (globalThis as { navigation?: Navigation }).navigation;

/** Asks before this page is left, if something would be lost. `pass` lets the next step through; `onLeave`: it shall be lost. */
export function useLeave(dirty: boolean, onLeave: () => void): { pass: () => void; dialog: React.ReactNode } {
  const all = useText();
  const text = all.rules.leave;
  const passing = useRef(false);
  const [wanted, setWanted] = useState<{ url: string; key: string; back: boolean }>();
  const [, navigate] = useLocation();
  useEffect(() => {
    if (!dirty) return;
    const unload = (event: BeforeUnloadEvent) => event.preventDefault();
    const step = (event: Event) => {
      const { destination, navigationType, cancelable } = event as NavigateEvent;
      if (passing.current || !cancelable || navigationType === "reload" || stays(destination.url)) return;
      event.preventDefault();
      setWanted({ url: destination.url, key: destination.key, back: navigationType === "traverse" });
    };
    const release = holdUnsaved();
    addEventListener("beforeunload", unload);
    navigation?.addEventListener("navigate", step);
    return () => {
      release();
      removeEventListener("beforeunload", unload);
      navigation?.removeEventListener("navigate", step);
    };
  }, [dirty]);
  const pass = useCallback(() => {
    passing.current = true;
  }, []);
  const leave = () => {
    if (!wanted) return;
    pass();
    onLeave();
    setWanted(undefined);
    const url = new URL(wanted.url);
    if (wanted.back) navigation?.traverseTo(wanted.key);
    else if (url.origin === location.origin) navigate(url.pathname + url.search);
    else location.assign(url);
  };
  const dialog = (
    <Modal open={wanted !== undefined} onClose={() => setWanted(undefined)} title={text.title}>
      <p>{text.help}</p>
      <div className="actions">
        <button type="button" className="button danger" onClick={leave}>{text.leave}</button>
        <button type="button" className="button primary" onClick={() => setWanted(undefined)}>{text.stay}</button>
      </div>
    </Modal>
  );
  return { pass, dialog };
}

/** Whether the editor is still there: the address of its page holds more than which rule is edited. */
function stays(address: string): boolean {
  const url = new URL(address);
  const edit = (search: string) => new URLSearchParams(search).get("edit");
  return url.origin === location.origin && url.pathname === location.pathname && edit(url.search) === edit(location.search);
}
