// What stands at the end of the bar above every page, as one menu, where there is no room for more.
import { Menu } from "@base-ui/react/menu";
import { type Locale, setLocale, useLocale, useText } from "./i18n/i18n.ts";
import { useMe } from "./session/me.ts";
import { signOut } from "./session/session.ts";
import { setTheme, type Theme, useTheme } from "./theme.ts";
import type { Choice } from "./ui/menu.tsx";
import { visible } from "./ui/plain.tsx";

export default function NarrowMenu({ line, onLine }: { line: boolean; onLine: (shown: boolean) => void }) {
  const { common, session } = useText();
  const locale = useLocale();
  const theme = useTheme();
  const me = useMe().data;
  const themes = common.theme;
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="button quiet" aria-label={common.nav.account}><span aria-hidden="true">☰</span></Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} align="end" className="positioner">
          <Menu.Popup className="menu">
            {me ? (
              <Menu.Group>
                <Menu.GroupLabel className="group">{visible(me.name, 120)} · {me.everything ? session.everything : session.tenant}</Menu.GroupLabel>
                {me.everything || line ? null : <Menu.Item className="item" onClick={() => onLine(true)}>{common.nav.view}</Menu.Item>}
              </Menu.Group>
            ) : null}
            <Choices label={common.language} value={locale} choices={[{ value: "en", label: "English" }, { value: "zh", label: "中文" }]} onChange={(value) => void setLocale(value as Locale)} />
            <Choices label={themes.label} value={theme} choices={[{ value: "system", label: themes.system }, { value: "light", label: themes.light }, { value: "dark", label: themes.dark }]}
              onChange={(value) => setTheme(value as Theme)} />
            <Menu.Item className="item" onClick={signOut}>{session.signOut}</Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Choices({ label, value, choices, onChange }: { label: string; value: string; choices: readonly Choice[]; onChange: (value: string) => void }) {
  return (
    <Menu.Group>
      <Menu.GroupLabel className="group">{label}</Menu.GroupLabel>
      <Menu.RadioGroup value={value} onValueChange={onChange}>
        {choices.map((it) => (
          <Menu.RadioItem key={it.value} value={it.value} className="item" closeOnClick>
            <span aria-hidden="true">{it.value === value ? "●" : "○"}</span> {it.label}
          </Menu.RadioItem>
        ))}
      </Menu.RadioGroup>
    </Menu.Group>
  );
}
