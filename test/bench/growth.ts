import { join } from "node:path";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { forgetRecorded, record } from "../support/area/recorded.ts";
import { benchArea, copyArea, resetArea } from "./areas.ts";
import { runHandScript } from "./hand-script.ts";
import { runReduce } from "./mtjobs-reduce.ts";
import { benchOptions, median, say, tell } from "./report.ts";

/** An area of one size, what it is set back to, and what moving the same runs out of it took, ms. */
interface Sized {
  size: number;
  original: SampleArea;
  area: SampleArea;
  mtjobs: number[];
  script: number[];
}

/** The same runs moved out of areas of four sizes, from a tenth of `runs` on, by mtjobs and by the script. */
export async function compareGrowth(directory: string, runs: number, rounds: number): Promise<void> {
  const count = Math.max(1, Math.round(runs / 20));
  const sizes = [runs / 10, runs / 4, runs / 2, runs].map(Math.round).map((size): Sized => {
    const original = benchArea(join(directory, `${size}`), size);
    return {
      size,
      original,
      area: copyArea(original, join(directory, `${size}-copy`)),
      mtjobs: [],
      script: [],
    };
  });
  // Each round takes all sizes: a disk that gets slower meanwhile is slower for all of them.
  for (let round = 0; round < rounds; round++) for (const sized of sizes) await moveBoth(sized, count);
  forgetRecorded("growth");
  for (const sized of sizes) {
    const [mtjobs, script] = [median(sized.mtjobs), median(sized.script)];
    say(
      `the same ${count} runs out of ${sized.size}: ${mtjobs.toFixed(0)} ms, the script ${script.toFixed(0)} ms (medians of ${rounds})`,
    );
    record("growth", {
      runs: sized.size,
      options: benchOptions,
      mtjobs: Math.round(mtjobs),
      script: Math.round(script),
    });
  }
  const [small, large] = [sizes[0] as Sized, sizes.at(-1) as Sized];
  tell(
    "growth",
    large.mtjobs.map((ms, round) => ms / (small.mtjobs[round] as number)),
  );
}

async function moveBoth({ original, area, mtjobs, script }: Sized, count: number): Promise<void> {
  resetArea(original, area);
  const { ms, result } = await runReduce(area, ["--run-id", firstRuns(count)]);
  if (result.moved.runs !== count) throw new Error(`${result.moved.runs} of ${count} runs moved`);
  mtjobs.push(ms);
  resetArea(original, area);
  script.push(await runHandScript(area, `id <= ${count}`));
}

/** The ids of the first runs of an area, as `--run-id` takes them. */
export function firstRuns(count: number): string {
  return Array.from({ length: count }, (_, index) => index + 1).join(",");
}
