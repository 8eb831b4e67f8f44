import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { filesOf, newArea, readColumn } from "../support/area.ts";
import { assertReleased, documentOf, startCommand } from "../support/queue.ts";

/** Ten attached databases keep 16 MB of pages each at most, which a small area does not fill. In MB. */
const pageCaches = 160;

/** One finished run of so many tests. */
const oneRun = (testsPerRun: number) =>
  newArea({ runs: 1, testsPerRun, stepsPerTest: 2, dataPerTest: 1, unsynced: false });

/** Reduces the area in a process; the highest memory it held, in MB. */
async function highestMemory(area: SampleArea): Promise<number> {
  const job = startCommand(["reduce", area.directory, "--runname", "%", "--inline", "--json"], {
    env: { MTJOBS_HOST: area.host, MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot },
  });
  let kilobytes = 0;
  const timer = setInterval(() => {
    kilobytes = Math.max(kilobytes, highWaterOf(job.child.pid) ?? 0);
  }, 20);
  const finished = await job.finished;
  clearInterval(timer);
  expect(documentOf(finished), finished.stderr).toMatchObject({ state: "completed", moved: { runs: 1 } });
  return kilobytes / 1024;
}

/** Linux keeps the highest resident size of a process itself. */
function highWaterOf(pid: number | undefined): number | undefined {
  try {
    // A process that is ending has no memory any more.
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return undefined;
  }
}

it.runIf(process.platform === "linux")(
  "a reduce of one run with 30,000 tests moves it whole and needs hardly more memory than one with 3,000",
  async () => {
    const small = await highestMemory(oneRun(3_000));
    const area = oneRun(30_000);
    const large = await highestMemory(area);
    console.info(
      `highest memory: ${small.toFixed(0)} MB with 3,000 tests, ${large.toFixed(0)} MB with 30,000`,
    );
    assertReleased(area);
    for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
      expect(readColumn(file, "SELECT count(*) FROM tests WHERE testname <> 'mtjobs-id-guard'")).toEqual([0]);
    }
    expect(readColumn(filesOf(area).completedDb, "SELECT count(*) FROM test_steps")).toEqual([60_000]);
    expect(large).toBeLessThan(small + pageCaches);
  },
  120_000,
);
