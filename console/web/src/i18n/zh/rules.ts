import type { Messages } from "../i18n.ts";

export const rules: Messages["rules"] = {};
