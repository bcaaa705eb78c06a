// An address: who came from it, with which credentials, and what they did.
import { useText } from "../i18n/i18n.ts";
import { is } from "../query/language.ts";
import { usePathValue } from "../query/url.ts";
import { Activity } from "./activity.tsx";
import { Changes } from "./changes.tsx";
import { Page } from "./frame.tsx";
import { Groups } from "./groups.tsx";
import { useScope } from "./scope.ts";

export default function Address() {
  const ip = usePathValue("/addresses/");
  const text = useText().investigate;
  const subject = is("ip", ip);
  const scope = useScope([subject], [], "last:24h");
  return (
    <Page kind="address" name={ip} subject={subject} by="verb" scope={scope}
      tabs={[
        { id: "actors", label: text.tabs.actors, content: () => <Groups scope={scope} by={["actor", "credential"]} /> },
        { id: "activity", label: text.tabs.activity, content: () => <Activity q={scope.q} scope={scope} /> },
        { id: "changes", label: text.tabs.changes, content: () => <Changes scope={scope} actors /> },
        { id: "refused", label: text.tabs.refused, content: () => <Groups scope={scope} terms={["is:denied"]} by={["actor", "resource"]} /> },
      ]} />
  );
}
