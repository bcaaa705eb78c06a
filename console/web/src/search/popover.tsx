import { lazy, type ReactNode, Suspense, useState } from "react";

const OpenPopover = lazy(() => import("./popover-open.tsx"));

export interface Props {
  label: string;
  shown: ReactNode;
  /** The form's heading. */
  title: string;
  className?: string;
  open: boolean;
  onOpen: (open: boolean) => void;
  children: ReactNode;
}

/** A button that opens a small form beside it; Esc and a click elsewhere close it. */
export function Popover(props: Props) {
  const { label, shown, className = "button", open, onOpen } = props;
  const [used, setUsed] = useState(open);
  if (open && !used) setUsed(true);
  const closed = <button type="button" className={className} aria-label={label} title={label} aria-haspopup="dialog" aria-expanded={open} onClick={() => onOpen(true)}>{shown}</button>;
  return used ? <Suspense fallback={closed}><OpenPopover {...props} className={className} /></Suspense> : closed;
}
