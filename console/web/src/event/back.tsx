// Back to where an event was opened from, as it was; else to the search that its address carries.
import { useLayoutEffect } from "react";
import { Link, useLocation } from "wouter";
import { type Messages, useText } from "../i18n/i18n.ts";
import { origin } from "../query/origin.ts";
import { searchHref } from "../query/url.ts";

export interface Back {
  href: string;
  label: string;
  go: () => void;
}

export function useBack(q: string): Back {
  const text = useText().event;
  const [, navigate] = useLocation();
  const from = origin();
  if (from) return { href: from.href, label: labelOf(from.href, text.backTo), go: () => history.go(-from.steps) };
  const href = q === "" ? "/" : searchHref(q);
  return { href, label: q === "" ? text.missing.search : text.backTo.search, go: () => navigate(href) };
}

function labelOf(href: string, text: Messages["event"]["backTo"]): string {
  const first = /^\/(\w*)/.exec(href)?.[1] ?? "";
  const pages: Record<string, string> = { "": text.search, alerts: text.alerts, users: text.user, objects: text.object, addresses: text.address, credentials: text.credential, rules: text.rules };
  return Object.hasOwn(pages, first) ? (pages[first] ?? text.other) : text.other;
}

/** A link, which opens in another tab, too. */
export function BackLink({ back, small = false, hint = false }: { back: Back; small?: boolean; hint?: boolean }) {
  return (
    <Link className={small ? "button small" : "button"} href={back.href} onClick={(click) => {
      if (click.ctrlKey || click.metaKey || click.altKey || click.shiftKey || click.button !== 0) return;
      click.preventDefault();
      back.go();
    }}>
      {back.label} {hint ? <kbd>Esc</kbd> : null}
    </Link>
  );
}

/** Whether a key is meant for what has the focus: a box, a menu, a dialog. */
function taken(event: KeyboardEvent): boolean {
  return event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || (event.target instanceof Element && event.target.closest("input, textarea, select, [role=menu], [role=dialog], [role=listbox]") !== null);
}

/** What a key does on the page, unless it closes something or is typed. */
export function useKey(key: string, act: (() => void) | undefined): void {
  // Not later than what is seen: until then the key would do what it did before.
  useLayoutEffect(() => {
    if (!act) return undefined;
    const listen = (event: KeyboardEvent) => {
      if (event.key !== key || taken(event)) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  });
}
