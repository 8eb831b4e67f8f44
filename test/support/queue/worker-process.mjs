// A worker process as `mtjobs worker` starts one, with what MTJOBS_TEST_THREAD, _TIMES and _LOOK_MS set.
import { resolveSettings } from "../../../dist/shared/settings/settings.js";
import { runWorker } from "../../../dist/workers/main.js";
import { variable } from "../../../dist-test/test/support/environment.js";

const thread = variable("MTJOBS_TEST_THREAD");
const lookMs = variable("MTJOBS_TEST_LOOK_MS");
const options = {
  ...(thread === "" ? {} : { threadUrl: new URL(thread) }),
  ...(lookMs === "" ? {} : { lookMs: Number(lookMs) }),
  ...JSON.parse(variable("MTJOBS_TEST_TIMES")),
};
try {
  process.exitCode = await runWorker(resolveSettings({ env: process.env }), options);
} catch (error) {
  process.stderr.write(`${JSON.stringify({ error: error.toDocument?.() ?? String(error.stack) })}\n`);
  process.exitCode = error.exitCode ?? 1;
}
