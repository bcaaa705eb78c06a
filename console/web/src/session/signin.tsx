// The page where somebody signs in: with the identity provider where there is one, or with a token.
import { useText } from "../i18n/i18n.ts";
import { Loading } from "../ui/state.tsx";
import { Provider } from "./provider.tsx";
import "./session.css";
import { useSession } from "./session.ts";
import { useSettings } from "./settings.ts";
import { TokenForm } from "./token-form.tsx";

export function SignIn() {
  const text = useText();
  const { expired } = useSession();
  const { data, isPending } = useSettings();
  const oidc = data?.oidc;
  return (
    <main className="signin" id="content">
      <div className="card box">
        <div className="row"><img src="/favicon.svg" alt="" width={36} height={36} /><h1>{text.common.product}</h1></div>
        <p className="muted">{text.session.intro}</p>
        {expired ? <p className="notice warn" role="status">{text.session.expired}</p> : null}
        {/* Nothing moves under the fingers of who begins to type: what there is to choose from is shown at once. */}
        {isPending ? <Loading /> : (
          <>
            {oidc ? <><Provider oidc={oidc} /><p className="or">{text.session.or}</p></> : null}
            <TokenForm first={!oidc} />
          </>
        )}
      </div>
    </main>
  );
}
