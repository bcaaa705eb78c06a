import type { Messages } from "../i18n.ts";

export const search: Messages["search"] = {};
