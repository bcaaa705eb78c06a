// The editor's colours: the page's variables, which are inherited into its shadow tree and follow light and dark by themselves.
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { tags } from "@lezer/highlight";
import { EditorView } from "codemirror";

const panel = { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line-strong)", borderRadius: "var(--radius)" };

const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", border: "1px solid var(--line-strong)", borderRadius: "var(--radius)", minHeight: "320px", maxHeight: "62vh", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5", minHeight: "318px" },
  ".cm-content": { caretColor: "var(--text)" },
  "&.cm-focused .cm-cursor, .cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 28%, transparent)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--muted)", borderRight: "1px solid var(--line)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--accent-soft)", color: "var(--text)" },
  ".cm-selectionMatch": { backgroundColor: "var(--accent-soft)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--line-strong)" },
  ".cm-foldPlaceholder": { ...panel, padding: "0 4px" },
  ".cm-lintRange-error": { backgroundColor: "var(--bad-soft)" },
  ".cm-lintRange-warning": { backgroundColor: "var(--warn-soft)" },
  ".cm-tooltip": { ...panel, boxShadow: "var(--shadow)" },
  ".cm-tooltip-lint": { maxWidth: "min(640px, 90vw)", overflowWrap: "anywhere", fontFamily: "var(--sans)" },
  ".cm-diagnostic": { padding: "6px 10px" },
  ".cm-diagnostic p": { margin: "4px 0 0", color: "var(--muted)" },
  ".cm-diagnosticSource": { fontFamily: "var(--mono)", fontSize: "11.5px", opacity: "1", color: "var(--muted)" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--text)" },
  ".cm-panels.cm-panels-bottom": { borderTop: "1px solid var(--line)" },
  ".cm-panel.cm-panel-lint ul [aria-selected]": { backgroundColor: "var(--accent-soft)" },
  ".cm-textfield": { ...panel, backgroundColor: "var(--surface)" },
  ".cm-button": { ...panel, backgroundImage: "none" },
});

const words = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--accent)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: tags.content, color: "var(--text)" },
  { tag: [tags.lineComment, tags.comment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.meta, tags.labelName, tags.keyword, tags.typeName], color: "var(--warn)" },
  { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], color: "var(--muted)" },
]);

export const theme: Extension = [look, syntaxHighlighting(words)];
