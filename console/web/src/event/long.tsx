// A text that may be long: nobody wants to see all of it before they ask.
import { useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { Plain } from "../ui/plain.tsx";

/** How much is ever put into the page of one text; all of it can be copied. */
const MOST = 20_000;

/** A text that may be long: its beginning, and the whole where it is asked for. */
export function Long({ text, limit = 300 }: { text: string; limit?: number }) {
  const words = useText().event;
  const [whole, setWhole] = useState(false);
  if (text.length <= limit) return <Plain text={text} limit={limit} />;
  return (
    <>
      <Plain text={text} limit={whole ? MOST : limit} />{" "}
      <button type="button" className="button small" aria-expanded={whole} onClick={() => setWhole(!whole)}>
        {whole ? words.showLess : words.showAll(text.length)}
      </button>
    </>
  );
}
