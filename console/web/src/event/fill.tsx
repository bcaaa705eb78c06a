// Sentences of a catalogue with parts in them that are more than text.
import { Fragment, type ReactNode } from "react";

/** The template with each `{name}` replaced by the part of that name. What parts hold is never looked at. */
export function fill(template: string, parts: Record<string, ReactNode>): ReactNode {
  return template.split(/\{(\w+)\}/).map((piece, index) => <Fragment key={index}>{index % 2 === 0 ? piece : parts[piece]}</Fragment>);
}
