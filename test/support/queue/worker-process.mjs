// A worker process as `mtjobs worker` starts one, with what MTJOBS_TEST_THREAD, _TIMES and _POLICY_SCAN_MS set.
import { resolveSettings } from "../../../shared/settings/settings.ts";
import { runWorker } from "../../../workers/main.ts";
import { variable } from "../environment.ts";

const thread = variable("MTJOBS_TEST_THREAD");
const policyScanMs = variable("MTJOBS_TEST_POLICY_SCAN_MS");
const options = {
  ...(thread === "" ? {} : { threadUrl: new URL(thread) }),
  ...(policyScanMs === "" ? {} : { policyScanMs: Number(policyScanMs) }),
  ...JSON.parse(variable("MTJOBS_TEST_TIMES")),
};
try {
  process.exitCode = await runWorker(resolveSettings({ env: process.env }), options);
} catch (error) {
  process.stderr.write(`${JSON.stringify({ error: error.toDocument?.() ?? String(error.stack) })}\n`);
  process.exitCode = error.exitCode ?? 1;
}
