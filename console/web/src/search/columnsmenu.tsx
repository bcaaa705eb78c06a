import { Menu } from "@base-ui/react/menu";
import { useText } from "../i18n/i18n.ts";
import { COLUMN_NAMES, type ColumnName } from "./columns.tsx";

/** Which columns are shown; one at least. */
export default function ColumnsMenu({ columns, onChange }: { columns: readonly ColumnName[]; onChange: (columns: readonly ColumnName[]) => void }) {
  const text = useText().search.table;
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="button quiet small">{text.columns}</Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} align="end" className="positioner">
          <Menu.Popup className="menu">
            {COLUMN_NAMES.map((name) => (
              <Menu.CheckboxItem
                key={name} className="item" checked={columns.includes(name)} disabled={columns.length === 1 && columns[0] === name}
                onCheckedChange={(on) => onChange(COLUMN_NAMES.filter((it) => (it === name ? on : columns.includes(it))))}
              >
                <span aria-hidden="true">{columns.includes(name) ? "☑" : "☐"}</span> {text.names[name]}
              </Menu.CheckboxItem>
            ))}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
