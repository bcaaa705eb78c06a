import { Popover as Base } from "@base-ui/react/popover";
import type { ReactNode } from "react";
import { useText } from "../i18n/i18n.ts";

/** A button that opens a small form beside it; Esc and a click elsewhere close it. */
export function Popover({ label, shown, title, className = "button", open, onOpen, children }: {
  label: string;
  shown: ReactNode;
  /** The form's heading. */
  title: string;
  className?: string;
  open: boolean;
  onOpen: (open: boolean) => void;
  children: ReactNode;
}) {
  const text = useText().common;
  return (
    <Base.Root open={open} onOpenChange={onOpen} modal>
      <Base.Trigger className={className} aria-label={label} title={label}>{shown}</Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} align="start" className="positioner">
          <Base.Popup className="menu popover">
            <header>
              <Base.Title render={<h2 />}>{title}</Base.Title>
              <Base.Close className="button quiet small" aria-label={text.close}>✕</Base.Close>
            </header>
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
