// A link with a token, where somebody is signed in already: nobody becomes another by following a link.
import { useText } from "../i18n/i18n.ts";
import { Modal } from "../ui/dialog.tsx";
import { visible } from "../ui/plain.tsx";
import { useMe } from "./me.ts";
import { answerLink, useSession } from "./session.ts";

export default function LinkAsked() {
  const { common, session: text } = useText();
  const { link } = useSession();
  const me = useMe().data;
  const name = visible(me?.name ?? "", 200);
  if (link === "refused") {
    return (
      <div className="notice warn link-refused" role="alert">
        {text.link.refused(name)} <button type="button" className="button small" onClick={() => answerLink(false)}>{common.close}</button>
      </div>
    );
  }
  const next = visible(link?.name ?? "", 200);
  return (
    <Modal open={link !== undefined} onClose={() => answerLink(false)} title={text.link.title(next)}>
      <p>{text.link.help(name, next)}</p>
      <div className="actions">
        <button type="button" className="button primary" onClick={() => answerLink(false)}>{text.link.stay}</button>
        <button type="button" className="button" onClick={() => answerLink(true)}>{text.link.take(next)}</button>
      </div>
    </Modal>
  );
}
