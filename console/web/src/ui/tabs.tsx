import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";

export interface Tab {
  id: string;
  label: ReactNode;
  content: () => ReactNode;
}

/** Tabs whose choice the caller holds, in the address as a rule. Only the chosen one is rendered. */
export function Tabs({ label, tabs, value, onChange }: { label: string; tabs: readonly Tab[]; value: string; onChange: (id: string) => void }) {
  return (
    <Base.Root value={value} onValueChange={(next) => onChange(String(next))}>
      <Base.List className="tabs" aria-label={label}>
        {tabs.map((tab) => <Base.Tab key={tab.id} value={tab.id}>{tab.label}</Base.Tab>)}
      </Base.List>
      {tabs.map((tab) => (
        <Base.Panel key={tab.id} value={tab.id}>{tab.id === value ? tab.content() : null}</Base.Panel>
      ))}
    </Base.Root>
  );
}
