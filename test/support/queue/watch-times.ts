import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";

export interface TimesSeen {
  /** The most by which megatest.db was newer than the cache, in ms; Megatest refills beyond 10,000. */
  worstMs: number;
  rounds: number;
  /** Names of the files beside megatest.db that begin with its name. */
  names: string[];
}

/** Watches the modification times of megatest.db and the cache from another process, about every millisecond. */
export async function watchTimes(area: SampleArea): Promise<{ stop(): Promise<TimesSeen> }> {
  const script = fileURLToPath(new URL("./watch-times.mjs", import.meta.url));
  const child = fork(script, [area.megatestDb, area.cacheDb]);
  await once(child, "message");
  return {
    stop: async () => {
      child.send("stop");
      const [seen] = (await once(child, "message")) as [TimesSeen];
      return seen;
    },
  };
}
