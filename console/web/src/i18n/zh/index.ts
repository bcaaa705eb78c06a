import { common } from "./common.ts";
import { search } from "./search.ts";
import { event } from "./event.ts";
import { investigate } from "./investigate.ts";
import { alerts } from "./alerts.ts";
import { rules } from "./rules.ts";
import { pipeline } from "./pipeline.ts";
import { session } from "./session.ts";

export const zh = { common, search, event, investigate, alerts, rules, pipeline, session };
