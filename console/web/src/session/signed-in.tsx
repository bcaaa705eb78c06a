// Where the identity provider sends people back to.
import { useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { answer, api, ApiError } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { Loading } from "../ui/state.tsx";
import { type Arrived, finish, NotBegun, reason, unreachable, wanted } from "./oidc.ts";
import { signIn } from "./session.ts";

type Failure = { kind: "notBegun" | "unreachable" | "refused" | "other"; said: string; back: string };

// An answer is taken once, however often this is rendered.
let taken: { address: string; back: string; arrived: Promise<Arrived> } | undefined;

function take() {
  const address = location.href;
  if (taken?.address !== address) taken = { address, back: wanted(), arrived: finish(new URL(address)) };
  return taken;
}

export default function SignedIn() {
  const { common, session: text } = useText();
  const [, navigate] = useLocation();
  const [failure, setFailure] = useState<Failure>();

  useEffect(() => {
    let left = false;
    const { back, arrived: arriving } = take();
    const arrive = async () => {
      try {
        const arrived = await arriving;
        // The provider may let in whom the console does not know.
        await answer(api.GET("/api/v1/me", { headers: { authorization: `Bearer ${arrived.token}` } }));
        if (left) return;
        signIn(arrived.token, false, arrived.grant);
        navigate(arrived.back, { replace: true });
      } catch (error) {
        if (left) return;
        const kind = error instanceof NotBegun ? "notBegun" : error instanceof ApiError ? "refused" : unreachable(error) ? "unreachable" : "other";
        setFailure({ kind, said: reason(error).slice(0, 300), back });
        // The code is spent; it has no business in the history.
        history.replaceState(history.state, "", location.pathname);
      }
    };
    void arrive();
    return () => {
      left = true;
    };
  }, [navigate]);

  return (
    <main className="signin" id="content">
      <div className="card box">
        <div className="row"><img src="/favicon.svg" alt="" width={36} height={36} /><h1>{common.product}</h1></div>
        {failure ? (
          <>
            <div className="notice bad" role="alert">
              <p>{failure.kind === "other" ? text.failed(failure.said) : text.failure[failure.kind]}</p>
              {failure.kind === "refused" ? <p className="small">{failure.said}</p> : null}
            </div>
            <Link href={failure.back} className="button primary" replace>{text.backToSignIn}</Link>
          </>
        ) : <><h2 className="visually-hidden">{text.signingIn}</h2><Loading /></>}
      </div>
    </main>
  );
}
