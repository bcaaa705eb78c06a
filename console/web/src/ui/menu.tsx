// A button that opens a menu of choices.
import { Menu } from "@base-ui/react/menu";
import type { ReactNode } from "react";

export interface Choice {
  value: string;
  label: ReactNode;
}

/** One choice of several. */
export function ChoiceMenu({ label, shown, value, choices, onChange }: {
  label: string;
  shown?: ReactNode;
  value: string;
  choices: readonly Choice[];
  onChange: (value: string) => void;
}) {
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="button quiet">{shown ? <><span className="visually-hidden">{label}</span> {shown}</> : label}</Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} align="end" className="positioner">
          <Menu.Popup className="menu">
            <Menu.RadioGroup value={value} onValueChange={onChange}>
              {choices.map((choice) => (
                <Menu.RadioItem key={choice.value} value={choice.value} className="item" closeOnClick>
                  <span aria-hidden="true">{choice.value === value ? "●" : "○"}</span>
                  {choice.label}
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
