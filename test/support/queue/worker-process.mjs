// A worker process as `mtjobs worker` starts one. MTJOBS_TEST_THREAD sets another job thread, MTJOBS_TEST_TIMES
// (JSON) shorter times, MTJOBS_TEST_LOOK_MS how often it checks [reduce-records].
import { resolveSettings } from "../../../dist/shared/settings/settings.js";
import { runWorker } from "../../../dist/workers/main.js";

const thread = process.env.MTJOBS_TEST_THREAD;
const lookMs = process.env.MTJOBS_TEST_LOOK_MS;
const options = {
  ...(thread === undefined ? {} : { threadUrl: new URL(thread) }),
  ...(lookMs === undefined ? {} : { lookMs: Number(lookMs) }),
  ...JSON.parse(process.env.MTJOBS_TEST_TIMES ?? "{}"),
};
try {
  process.exitCode = await runWorker(resolveSettings({ env: process.env }), options);
} catch (error) {
  process.stderr.write(`${JSON.stringify({ error: error.toDocument?.() ?? String(error.stack) })}\n`);
  process.exitCode = error.exitCode ?? 1;
}
