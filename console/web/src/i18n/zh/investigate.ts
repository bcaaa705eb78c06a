import type { Messages } from "../i18n.ts";

export const investigate: Messages["investigate"] = {};
