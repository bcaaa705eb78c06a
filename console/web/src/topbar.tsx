import { lazy, Suspense } from "react";
import { Link, useLocation } from "wouter";
import { type Locale, setLocale, useLocale, useText } from "./i18n/i18n.ts";
import { useMe } from "./session/me.ts";
import { signOut } from "./session/session.ts";
import { useViewLine, ViewLine, ViewTag } from "./session/view.tsx";
import { setTheme, type Theme, useTheme } from "./theme.ts";
import { useMedia } from "./ui/media.ts";
import { ChoiceMenu } from "./ui/menu.tsx";

const NarrowMenu = lazy(() => import("./topbar-menu.tsx"));

const PAGES = [
  ["/", "search"],
  ["/alerts", "alerts"],
  ["/rules", "rules"],
  ["/pipeline", "pipeline"],
] as const;

export function Topbar() {
  const text = useText();
  const [path] = useLocation();
  const theme = useTheme();
  const locale = useLocale();
  const me = useMe().data;
  const [line, showLine] = useViewLine();
  const narrow = useMedia("(max-width: 600px)");
  const themes = text.common.theme;
  return (
    <header className="topbar">
      <Link href="/" className="brand"><img src="/favicon.svg" alt="" /> {text.common.product}</Link>
      <nav aria-label={text.common.nav.label}>
        {PAGES.filter(([, name]) => me?.everything !== false || name !== "pipeline").map(([href, name]) => (
          <Link key={href} href={href} aria-current={path === href || (href !== "/" && path.startsWith(`${href}/`)) ? "page" : undefined}>
            {text.common.nav[name]}
          </Link>
        ))}
      </nav>
      {narrow ? <div className="end"><Suspense><NarrowMenu line={line} onLine={showLine} /></Suspense></div> : (
        <div className="end">
          <ViewTag open={line} onOpen={showLine} />
          <ChoiceMenu label={`${text.common.language}: ${locale === "en" ? "EN" : "中文"}`} shown={locale === "en" ? "EN" : "中文"} value={locale}
            choices={[{ value: "en", label: "English" }, { value: "zh", label: "中文" }]} onChange={(value) => void setLocale(value as Locale)} />
          <ChoiceMenu label={themes.label} shown={<span aria-hidden="true">◐</span>} value={theme}
            choices={[{ value: "system", label: themes.system }, { value: "light", label: themes.light }, { value: "dark", label: themes.dark }]}
            onChange={(value) => setTheme(value as Theme)} />
          <button type="button" className="button quiet" onClick={signOut}>{text.session.signOut}</button>
        </div>
      )}
      {line ? <ViewLine onClose={() => showLine(false)} /> : null}
    </header>
  );
}
