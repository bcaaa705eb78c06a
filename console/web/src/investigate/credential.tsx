// A credential: everything that was done with it, from where, and as whom.
import { useText } from "../i18n/i18n.ts";
import { is } from "../query/language.ts";
import { usePathValue } from "../query/url.ts";
import { Activity } from "./activity.tsx";
import { Changes } from "./changes.tsx";
import { Page } from "./frame.tsx";
import { Groups } from "./groups.tsx";
import { useScope } from "./scope.ts";
import { Addresses } from "./user.tsx";

export default function Credential() {
  const id = usePathValue("/credentials/");
  const text = useText().investigate;
  const subject = is("cred", id);
  const scope = useScope([subject], [], "last:24h");
  return (
    <Page kind="credential" name={id} subject={subject} by="verb" scope={scope}
      tabs={[
        { id: "activity", label: text.tabs.activity, content: () => <Activity q={scope.q} scope={scope} /> },
        { id: "addresses", label: text.tabs.addresses, content: () => <Addresses scope={scope} byCredential={false} /> },
        { id: "actors", label: text.tabs.actors, content: () => <Groups scope={scope} by={["actor", "user"]} /> },
        { id: "changes", label: text.tabs.changes, content: () => <Changes scope={scope} actors /> },
      ]} />
  );
}
