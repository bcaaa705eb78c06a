import { useState } from "react";
import { useText } from "../i18n/i18n.ts";

/** Copies a text, and says so. */
export function Copy({ value, label }: { value: string; label?: string }) {
  const text = useText().common;
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard.writeText(value).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <button type="button" className="button small quiet" onClick={copy} aria-live="polite">
      {copied ? text.copied : (label ?? text.copy)}
    </button>
  );
}
