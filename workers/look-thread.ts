// The entry of a thread that scans the areas' policies. Started by automatic.ts, never imported.

import type { LookCalls } from "./automatic.ts";
import { lookOverAreas } from "./look-over-areas.ts";
import { serveCalls } from "./threads/thread-rpc.ts";

serveCalls<LookCalls>({ scan: (settings) => lookOverAreas(settings, process.env) });
