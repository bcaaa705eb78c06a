import { useText } from "../i18n/i18n.ts";
import { Modal } from "../ui/dialog.tsx";
import { KEYS } from "./keys.ts";

const KEYBOARD = [["/", "slash"], ["Enter", "enter"], ["Esc", "esc"], ["j  ↓", "j"], ["k  ↑", "k"], ["g g   G", "g"], ["Space", "space"], ["?", "question"]] as const;
const EXAMPLES = [
  ["who", "sub:exec,attach,portforward ns:payments last:7d"], ["change", "actor:alice change:yes last:24h"], ["secret", "reads:payments/secrets/db last:7d"],
  ["denied", "is:denied -user:system:*"], ["text", '"cat /etc/passwd"'],
] as const;

/** The language by examples and keys: also for those whose query was not understood. */
export function Language({ onAsk }: { onAsk: (query: string) => void }) {
  const text = useText().search;
  return (
    <>
      <ul className="help-examples">
        {EXAMPLES.map(([name, query]) => <li key={name}>{text.help.examples[name]}<br /><button type="button" className="link mono" onClick={() => onAsk(query)}>{query}</button></li>)}
      </ul>
      <dl className="help-keys">
        {KEYS.map((key) => <div key={key.name}><dt><code>{key.name}:</code></dt><dd>{text.keys[key.name]}</dd></div>)}
      </dl>
    </>
  );
}

export default function Help({ onClose, onAsk }: { onClose: () => void; onAsk: (query: string) => void }) {
  const { search: text, common } = useText();
  return (
    <Modal open onClose={onClose} title={text.help.label}>
      <h3>{text.help.keys}</h3>
      <dl className="help-keys">
        {KEYBOARD.map(([key, name]) => <div key={name}><dt><kbd>{key}</kbd></dt><dd>{text.help.of[name]}</dd></div>)}
      </dl>
      <h3>{text.help.language}</h3>
      <Language onAsk={onAsk} />
      <div className="actions"><button type="button" className="button" onClick={onClose}>{common.close}</button></div>
    </Modal>
  );
}
