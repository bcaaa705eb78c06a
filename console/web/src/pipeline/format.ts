import { localeTag } from "../i18n/i18n.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 26.7 KiB */
export function bytes(value: number): string {
  let unit = 0;
  let shown = value;
  while (shown >= 1024 && unit < UNITS.length - 1) {
    shown /= 1024;
    unit += 1;
  }
  return `${new Intl.NumberFormat(localeTag(), { maximumFractionDigits: unit === 0 || shown >= 100 ? 0 : 1 }).format(shown)} ${UNITS[unit]}`;
}

/** 0, 0.4, 12.5, 1,340 */
export function perSecond(rate: number): string {
  return new Intl.NumberFormat(localeTag(), { maximumFractionDigits: rate >= 100 ? 0 : 1 }).format(rate);
}

/** 83 %; a little is not nothing. */
export function percent(part: number): string {
  const format = new Intl.NumberFormat(localeTag(), { style: "percent", maximumFractionDigits: 0 });
  return part > 0 && part < 0.01 ? `< ${format.format(0.01)}` : format.format(part);
}
