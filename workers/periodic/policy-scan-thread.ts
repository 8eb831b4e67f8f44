// The entry of a thread that scans the areas' policies. Started by automatic.ts, never imported.

import { serveCalls } from "../threads/thread-rpc.ts";
import { lookOverAreas } from "./policy-scan.ts";
import type { LookCalls } from "./policy-scheduler.ts";

serveCalls<LookCalls>({ scan: (settings) => lookOverAreas(settings, process.env) });
