import { appendFileSync } from "node:fs";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { openClient } from "./client.ts";
import type { AcknowledgedWrite, ClientCommand, ClientOptions, ClientReport } from "./client-messages.ts";

/**
 * A Megatest client at home as a process: registers a run and keeps registering tests, reporting steps and data,
 * and raising the duration of running tests until it is told to stop. An error ends it.
 */

const options = JSON.parse(process.argv[2] ?? "{}") as ClientOptions;
let stopping = false;
let writes = 0;
let longestMs = 0;

type Write = Omit<AcknowledgedWrite, "number" | "tookMs">;

function report(message: ClientReport): void {
  process.send?.(message);
}

/** Times a write and records it once it is acknowledged: nothing in the journal may ever be lost. */
function acknowledged(write: () => Write | undefined): Write | undefined {
  const begun = performance.now();
  const done = write();
  const tookMs = performance.now() - begun;
  longestMs = Math.max(longestMs, tookMs);
  if (done === undefined) return undefined;
  writes += 1;
  appendFileSync(
    options.journal,
    `${JSON.stringify({ number: writes, ...done, tookMs } satisfies AcknowledgedWrite)}\n`,
  );
  return done;
}

async function work(): Promise<void> {
  const client = openClient(options.cacheDb);
  const run = acknowledged(() => ({
    table: "runs",
    id: client.registerRun(options.target, options.runname),
    parent: null,
    values: { ...options.target, runname: options.runname },
  }));
  const runId = run?.id ?? 0;
  report({ type: "started", runId });
  const running = [...(options.testIds ?? [])];
  for (let round = 0; !stopping; round++) {
    const testId = running[round % Math.max(running.length, 1)] ?? 0;
    const done = acknowledged(() => writeOf(client, round, runId, testId));
    if (done?.table === "tests" && done.parent === runId && round % 4 === 0) running.push(done.id);
    await (options.everyMs > 0 ? pause(options.everyMs) : nextTurn());
  }
  client.close();
  report({ type: "stopped", writes, longestMs });
}

function writeOf(
  client: ReturnType<typeof openClient>,
  round: number,
  runId: number,
  testId: number,
): Write | undefined {
  if (round % 4 === 0 || testId === 0) {
    const testname = `load_${round}`;
    const id = client.registerTest(runId, testname);
    return { table: "tests", id, parent: runId, values: { testname, item_path: "" } };
  }
  if (round % 4 === 1) {
    const status = String(round);
    const id = client.reportStep(testId, "load", round % 8 === 1 ? "start" : "end", status);
    return {
      table: "test_steps",
      id,
      parent: testId,
      values: { stepname: "load", state: round % 8 === 1 ? "start" : "end", status },
    };
  }
  if (round % 4 === 2) {
    const id = client.reportData(testId, "load", "round", round);
    return {
      table: "test_data",
      id,
      parent: testId,
      values: { category: "load", variable: "round", value: round },
    };
  }
  const comment = `round ${round}`;
  if (!client.setState(testId, "RUNNING", "n/a", comment)) return undefined;
  return { table: "tests", id: testId, parent: null, values: { state: "RUNNING", status: "n/a", comment } };
}

process.on("message", (command: ClientCommand) => {
  if (command.type === "stop") stopping = true;
});
process.on("disconnect", () => process.exit());
work().then(
  () => process.disconnect(),
  (error: unknown) => {
    report({ type: "failed", message: error instanceof Error ? error.message : String(error), writes });
    process.exitCode = 1;
    process.disconnect();
  },
);
