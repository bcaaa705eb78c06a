import { useState } from "react";
import { useText } from "../i18n/i18n.ts";

/** Copies a text, and says so. `name` is for those who hear many such buttons. */
export function Copy({ value, label, name }: { value: string | (() => string); label?: string; name?: string }) {
  const text = useText().common;
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard.writeText(typeof value === "string" ? value : value()).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <button type="button" className="button small quiet" onClick={copy} aria-label={copied ? undefined : name} aria-live="polite">
      {copied ? text.copied : (label ?? text.copy)}
    </button>
  );
}
