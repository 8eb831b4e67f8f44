// A job thread for tests of the worker: runs the script that the payload's runname names, and writes a trace into
// the area.
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { JobsError } from "../../../shared/errors.ts";
import { serveJobs } from "../../../workers/job-thread/serve-jobs.ts";

const zero = {
  runs: 0,
  tests: 0,
  test_steps: 0,
  test_data: 0,
  run_stats: 0,
  extradat: 0,
  test_rundat: 0,
  archives: 0,
};

const runScript =
  (job) =>
  async (payload, { jobId, settings, signal, log, progress, failpoint }) => {
    const trace = (event) =>
      appendFileSync(
        join(payload.area, "trace.jsonl"),
        `${JSON.stringify({ event, jobId, host: settings.host, pid: process.pid, thread: threadId, at: Date.now() })}\n`,
      );
    trace("begin");
    log(`the script is ${payload.runname}`);
    if (payload.runname === "exit") process.exit(7);
    if (payload.runname === "refuse") {
      throw new JobsError("pinned", "this area is pinned");
    }
    if (payload.runname === "busy")
      throw Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
    if (payload.runname === "hang")
      for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    // "hold": one batch after the other until the test lets it go.
    for (let batch = 1; !existsSync(join(payload.area, "release")); batch++) {
      if (signal.aborted) {
        trace(`aborted-${signal.reason.code}`);
        throw signal.reason;
      }
      progress({ phase: "hold", runs: { done: batch, total: batch + 1 }, rows: { done: batch } });
      failpoint("batch");
      await sleep(10);
    }
    trace("end");
    return {
      jobId,
      job,
      area: payload.area,
      areaId: null,
      host: settings.host,
      state: "completed",
      dryRun: payload.dryRun,
      moved: zero,
      runs: [],
      skipped: [],
      skippedCounts: {},
      superseded: 0,
      late: 0,
      bytes: {},
      warnings: [],
      elapsedMs: 1,
    };
  };

serveJobs(
  { reduce: async () => runScript("reduce"), restore: async () => runScript("restore") },
  process.env,
);
