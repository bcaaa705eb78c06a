import { type FormEvent, useState } from "react";
import { answer, api, ApiError } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { signIn } from "./session.ts";

/** Signing in with a token. `first`: there is no other way, or none that is nearer. */
export function TokenForm({ first }: { first: boolean }) {
  const text = useText();
  const [value, setValue] = useState("");
  const [keep, setKeep] = useState(false);
  const [checking, setChecking] = useState(false);
  const [wrong, setWrong] = useState<string>();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const shown = value.trim();
    if (shown === "") return;
    setChecking(true);
    setWrong(undefined);
    try {
      await answer(api.GET("/api/v1/me", { headers: { authorization: `Bearer ${shown}` } }));
      signIn(shown, keep);
    } catch (error) {
      setWrong(error instanceof ApiError && error.code === 401 ? text.session.wrong : error instanceof Error ? error.message : String(error));
    } finally {
      setChecking(false);
    }
  };

  return (
    <form onSubmit={submit}>
      <label className="field">
        <span>{text.session.token}</span>
        <input className="input mono" type="password" autoComplete="current-password" autoFocus={first} spellCheck={false} value={value}
          onChange={(event) => setValue(event.target.value)} aria-invalid={wrong !== undefined} aria-describedby="token-help" />
        <small id="token-help" className="muted">{text.session.tokenHelp}</small>
      </label>
      {wrong ? <p className="notice bad" role="alert">{wrong}</p> : null}
      <label className="check"><input type="checkbox" checked={keep} onChange={(event) => setKeep(event.target.checked)} /> {text.session.keep}</label>
      <button type="submit" className={first ? "button primary" : "button"} disabled={checking}>{checking ? text.session.checking : text.session.submit}</button>
    </form>
  );
}
