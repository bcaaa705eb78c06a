// One row of the grid.
//
// While somebody scrolls, the grid is rendered for each step of it: a row is rendered only where something of its own has changed.
import { memo, type MouseEvent } from "react";
import { Link } from "wouter";
import type { AuditEvent } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { hrefs } from "../query/url.ts";
import { visible } from "../ui/plain.tsx";
import { type ColumnName, COLUMNS } from "./columns.tsx";
import type { Row } from "./rows.ts";

/** What a row has the grid do. */
export interface Acts {
  open: (event: AuditEvent) => void;
  activate: (event: AuditEvent) => void;
  toggle: (row: Row) => void;
  /** An event is opened by a link. */
  leave: (event: AuditEvent) => void;
}

export interface Props {
  id: string;
  index: number;
  start: number;
  height: number;
  /** The widths of the columns, or nothing where a row has two lines. */
  template: string | undefined;
  lead: readonly ColumnName[];
  rest: readonly ColumnName[];
  event: AuditEvent;
  row: Row;
  /** Whether it is another stage of the row above. */
  stage: boolean;
  active: boolean;
  unfolded: boolean;
  q: string;
  acts: Acts;
}

export const GridRow = memo(function GridRow({ id, index, start, height, template, lead, rest, event, row, stage, active, unfolded, q, acts }: Props) {
  const text = useText().search.table;
  const narrow = template === undefined;
  const cell = (it: ColumnName, at: number) => {
    const column = COLUMNS[it];
    const inside = column.show?.(event) ?? visible(column.text(event));
    return (
      <div key={it} role="gridcell" data-column={it} aria-colindex={at + 1} title={it === "time" ? undefined : visible(column.text(event)).slice(0, 600)}>
        {at === 0 ? (
          <>
            <Link href={hrefs.event(event.id, q)} tabIndex={-1} onClick={() => acts.leave(event)}>{inside}</Link>
            {!stage && row.others.length > 0 ? (
              <button type="button" tabIndex={-1} className="stages" aria-expanded={unfolded} aria-label={unfolded ? text.fold(`×${row.others.length + 1}`) : text.unfold(`×${row.others.length + 1}`, row.others.length)} title={text.stages(row.others.length + 1)} onClick={(click) => { click.stopPropagation(); acts.toggle(row); }}>
                ×{row.others.length + 1}
              </button>
            ) : null}
            {stage ? <span className="tag">{event.stage}</span> : null}
          </>
        ) : inside}
      </div>
    );
  };
  return (
    <div
      id={id} role="row" aria-rowindex={index + 2} aria-selected={active} className="event-grid-row"
      data-stage={stage || undefined} data-narrow={narrow || undefined} style={{ gridTemplateColumns: template, height, transform: `translateY(${start}px)` }}
      onClick={(click) => { if (wanted(click)) acts.open(event); else acts.activate(event); }}
    >
      {narrow ? (
        <>
          <div role="presentation" className="event-grid-line">{lead.map((it, at) => cell(it, at))}</div>
          <div role="presentation" className="event-grid-line muted">{rest.map((it, at) => cell(it, lead.length + at))}</div>
        </>
      ) : lead.map((it, at) => cell(it, at))}
    </div>
  );
});

/** Whether a click is meant to open the row: not one that ends a selection of text, nor one on something of its own. */
function wanted(click: MouseEvent): boolean {
  return !click.defaultPrevented && click.button === 0 && !click.ctrlKey && !click.metaKey && !click.shiftKey && !(click.target as Element).closest("a, button") && (getSelection()?.toString() ?? "") === "";
}
