// The frame: who is signed in, where one is, and the page.
import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useMemo, useRef } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { ApiError } from "./api/client.ts";
import { useText } from "./i18n/i18n.ts";
import "./query/origin.ts";
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

function Frame() {
  const { token, link } = useSession();
  const [path] = useLocation();
  const text = useText().common;
  const main = useRef<HTMLElement>(null);
  const before = useRef(path);
  // Whoever reads by ear hears of the new page.
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    main.current?.focus({ preventScroll: true });
  }, [path]);
  if (path === "/signed-in") return <Suspense fallback={<Loading />}><SignedIn /></Suspense>;
  if (token === undefined) return <SignIn />;
  return (
    <>
      <a className="skip" href="#content">{text.nav.skip}</a>
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
