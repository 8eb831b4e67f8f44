import { join } from "node:path";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { startMegatestClient } from "../support/megatest/processes.ts";

/** Does `work` while a client of Megatest writes to the cache all along; tells its longest wait, ms. */
export async function beside<T>(
  area: SampleArea,
  directory: string,
  work: () => Promise<T>,
): Promise<{ value: T; longestWaitMs: number; writes: number }> {
  const client = await startMegatestClient({
    cacheDb: area.cacheDb,
    journal: join(directory, "acknowledged.jsonl"),
    everyMs: 5,
    target: Object.fromEntries(area.keys.map((key) => [key, "bench"])),
    runname: "written-meanwhile",
  });
  try {
    const value = await work();
    const { writes, longestMs } = await client.stop();
    return { value, longestWaitMs: longestMs, writes };
  } catch (error) {
    await client.kill();
    throw error;
  }
}
