// The entry of a thread that scans the areas' policies. Started by policy-scheduler.ts, never imported.

import { serveCalls } from "../threads/thread-rpc.ts";
import { scanPolicies } from "./policy-scan.ts";
import type { PolicyScanCalls } from "./policy-scheduler.ts";

serveCalls<PolicyScanCalls>({ scan: (settings) => scanPolicies(settings, process.env) });
