// The text of a rule, with what the compiler says underlined.
//
// CodeMirror puts its styles into `adoptedStyleSheets` of the shadow tree that it is mounted in; in a document it would add a style element,
// which the page's content security policy forbids.
import { indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { type Diagnostic as Underline, lintGutter, setDiagnostics } from "@codemirror/lint";
import { indentUnit } from "@codemirror/language";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { keymap } from "@codemirror/view";
import { basicSetup, EditorView } from "codemirror";
import { type Ref, useEffect, useImperativeHandle, useLayoutEffect, useRef } from "react";
import { visible } from "../ui/plain.tsx";
import type { Diagnostic } from "../api/rules.ts";
import { useText } from "../i18n/i18n.ts";
import { useDark } from "../theme.ts";
import { theme } from "./editor-theme.ts";
import { placeOf } from "./places.ts";

export interface EditorHandle {
  /** Goes to the place of a finding. */
  jump: (found: Diagnostic) => void;
}

export interface Found {
  /** The text that it is about. */
  source: string;
  diagnostics: readonly Diagnostic[];
}

export function SourceEditor({ value, onChange, found, ref }: { value: string; onChange: (value: string) => void; found: Found | undefined; ref: Ref<EditorHandle> }) {
  const text = useText().rules;
  const dark = useDark();
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<{ view: EditorView; words: Compartment; colours: Compartment }>(undefined);
  const change = useRef(onChange);
  change.current = onChange;
  const { label, help } = text.editor;
  const words = named(label, help);
  const colours = EditorView.darkTheme.of(dark);
  const first = useRef({ value, words, colours });

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    const [ofWords, ofColours] = [new Compartment(), new Compartment()];
    const view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: first.current.value,
        extensions: [
          basicSetup, yaml(), lintGutter(), theme, indentUnit.of("  "), EditorView.lineWrapping,
          // Esc, then Tab leaves: CodeMirror lets Tab alone for a while after Esc.
          keymap.of([indentWithTab]), ofWords.of(first.current.words), ofColours.of(first.current.colours),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) change.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    editor.current = { view, words: ofWords, colours: ofColours };
    return () => {
      view.destroy();
      editor.current = undefined;
    };
  }, []);

  useEffect(() => {
    const at = editor.current;
    at?.view.dispatch({ effects: [at.words.reconfigure(named(label, help)), at.colours.reconfigure(EditorView.darkTheme.of(dark))] });
  }, [label, help, dark]);

  // With the text that it was drawn with: a letter that is typed before a later effect would be taken back by it.
  useLayoutEffect(() => {
    const view = editor.current?.view;
    if (view && view.state.doc.toString() !== value) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const view = editor.current?.view;
    // Findings about another text than this have other places; those about this are on their way.
    if (!view || !found || view.state.doc.toString() !== found.source) return;
    view.dispatch(setDiagnostics(view.state, underlines(found, text.diagnostics.help)));
  }, [found, text]);

  useImperativeHandle(ref, () => ({
    jump: (it) => {
      const view = editor.current?.view;
      const place = view && placeOf(view.state.doc.toString(), it);
      if (!view || !place) return;
      view.dispatch({ selection: { anchor: place[0] }, effects: EditorView.scrollIntoView(place[0], { y: "center" }) });
      view.focus();
    },
  }), []);

  return <div ref={host} className="source-editor" />;
}

function named(label: string, help: string): Extension {
  return EditorView.contentAttributes.of({ "aria-label": label, "aria-description": help, tabindex: "0" });
}

function underlines({ source, diagnostics }: Found, help: string): Underline[] {
  return diagnostics.flatMap((it) => {
    const place = placeOf(source, it);
    if (!place) return [];
    const severity = it.severity === "note" ? "info" : it.severity;
    return [{ from: place[0], to: place[1], severity, source: it.code, message: it.message, renderMessage: () => message(it, help) }];
  });
}

function message(found: Diagnostic, help: string): HTMLElement {
  const shown = document.createElement("div");
  shown.append(visible(found.message));
  if (found.help) {
    const more = document.createElement("p");
    more.append(`${help} ${visible(found.help)}`);
    shown.append(more);
  }
  return shown;
}
