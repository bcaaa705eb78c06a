// The frame: who is signed in, where one is, and the page.
import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, type MouseEvent, Suspense, useEffect, useLayoutEffect, useMemo, useRef } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { ApiError } from "./api/client.ts";
import { useText } from "./i18n/i18n.ts";
import "./query/origin.ts";
import { isTyping } from "./search/grid.tsx";
import { Search } from "./search/page.tsx";
import { SignIn } from "./session/signin.tsx";
import { useSession } from "./session/session.ts";
import { Topbar } from "./topbar.tsx";
import { Boundary } from "./ui/boundary.tsx";
import { Empty, Loading } from "./ui/state.tsx";

const EventPage = lazy(() => import("./event/page.tsx"));
const UserPage = lazy(() => import("./investigate/user.tsx"));
const ObjectPage = lazy(() => import("./investigate/object.tsx"));
const AddressPage = lazy(() => import("./investigate/address.tsx"));
const CredentialPage = lazy(() => import("./investigate/credential.tsx"));
const AlertsPage = lazy(() => import("./alerts/page.tsx"));
const RulesPage = lazy(() => import("./rules/page.tsx"));
const RulePage = lazy(() => import("./rules/rule.tsx"));
const NewRulePage = lazy(() => import("./rules/new.tsx"));
const PipelinePage = lazy(() => import("./pipeline/page.tsx"));
const LinkAsked = lazy(() => import("./session/link.tsx"));
const SignedIn = lazy(() => import("./session/signed-in.tsx"));

const newQueries = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        gcTime: 10 * 60_000,
        refetchOnWindowFocus: false,
        // What is wrong stays wrong; who did not answer may the next time.
        retry: (failures, error) => failures < 2 && error instanceof ApiError && (error.code === 503 || error.code === 0),
      },
    },
  });

export function App() {
  const { epoch } = useSession();
  // Another's answers are not shown to whoever signs in next.
  const queries = useMemo(newQueries, [epoch]);
  return (
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queries}>
        <Frame />
      </QueryClientProvider>
    </CSPProvider>
  );
}

/** Pages that lead to a list. */
const LISTED = /^\/($|users\/|objects|addresses\/|credentials\/)/;

function Frame() {
  const { token, link } = useSession();
  const [path, navigate] = useLocation();
  const text = useText().common;
  const main = useRef<HTMLElement>(null);
  const before = useRef(path);
  const toBox = useRef(false);
  // Whoever reads by ear hears of the new page.
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    if (toBox.current) {
      toBox.current = false;
      main.current?.querySelector<HTMLElement>("[role=search] [role=combobox]")?.focus();
    } else main.current?.focus({ preventScroll: true });
  }, [path]);
  // On its own page the box takes the key itself.
  useLayoutEffect(() => {
    if (path === "/" || token === undefined) return undefined;
    const listen = (event: KeyboardEvent) => {
      // The editor is in a shadow tree, from outside of which it is not seen that somebody types there.
      if (event.key !== "/" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.composedPath().some(isTyping)) return;
      event.preventDefault();
      toBox.current = true;
      navigate("/");
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [path, token, navigate]);
  const skip = (click: MouseEvent) => {
    // The list has the focus as a whole; where there is none, as when nothing was found, the page has it.
    const list = main.current?.querySelector<HTMLElement>(".event-grid") ?? main.current?.querySelector<HTMLElement>("[role=tabpanel]");
    if (!list) return;
    click.preventDefault();
    list.focus();
  };
  if (path === "/signed-in") return <Suspense fallback={<Loading />}><SignedIn /></Suspense>;
  if (token === undefined) return <SignIn />;
  return (
    <>
      <a className="skip" href="#content">{text.nav.skip}</a>
      {LISTED.test(path) ? <a className="skip" href="#content" onClick={skip}>{text.nav.skipToResults}</a> : null}
      <Topbar />
      <main id="content" ref={main} tabIndex={-1}>
        {link ? <Suspense><LinkAsked /></Suspense> : null}
        <Boundary key={path}>
          <Suspense fallback={<Loading />}>
            <Switch>
              <Route path="/" component={Search} />
              <Route path="/events/:id" component={EventPage} />
              <Route path="/users/:name" component={UserPage} />
              <Route path="/objects" component={ObjectPage} />
              <Route path="/addresses/:ip" component={AddressPage} />
              <Route path="/credentials/:id" component={CredentialPage} />
              <Route path="/alerts" component={AlertsPage} />
              <Route path="/rules" component={RulesPage} />
              <Route path="/rules/new" component={NewRulePage} />
              <Route path="/rules/:namespace/:name" component={RulePage} />
              <Route path="/pipeline" component={PipelinePage} />
              <Route>
                <Empty title={text.notFound.title} actions={<Link href="/" className="button">{text.notFound.home}</Link>}>
                  <p>{text.notFound.help}</p>
                </Empty>
              </Route>
            </Switch>
          </Suspense>
        </Boundary>
      </main>
    </>
  );
}
