import { useState } from "react";
import type { Schemas } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";

/** The way to the identity provider, and back to this address. */
export function Provider({ oidc }: { oidc: Schemas["SignIn"] }) {
  const text = useText().session;
  const [leaving, setLeaving] = useState(false);
  const [failed, setFailed] = useState<string>();
  const go = async () => {
    setFailed(undefined);
    // Browsers give what PKCE needs to nobody on plain HTTP, but for this machine.
    if (!isSecureContext) return setFailed(text.failure.insecure);
    setLeaving(true);
    const { begin, reason, unreachable } = await import("./oidc.ts");
    try {
      await begin(oidc, location.pathname + location.search);
    } catch (error) {
      setLeaving(false);
      setFailed(unreachable(error) ? text.failure.unreachable : text.failed(reason(error)));
    }
  };
  return (
    <>
      <button type="button" className="button primary" autoFocus disabled={leaving} onClick={() => void go()}>{leaving ? text.signingIn : text.provider}</button>
      <small className="muted">{text.providerHelp(new URL(oidc.issuer).host)}</small>
      {failed ? <p className="notice bad" role="alert">{failed}</p> : null}
    </>
  );
}
