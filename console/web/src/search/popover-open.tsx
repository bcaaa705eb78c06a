import { Popover as Base } from "@base-ui/react/popover";
import { useText } from "../i18n/i18n.ts";
import type { Props } from "./popover.tsx";

/** The whole of a [`Popover`], which is loaded when one is opened first. */
export default function OpenPopover({ label, shown, title, className, open, onOpen, children }: Props) {
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
