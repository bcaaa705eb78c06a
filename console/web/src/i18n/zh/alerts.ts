import type { Messages } from "../i18n.ts";

export const alerts: Messages["alerts"] = {};
