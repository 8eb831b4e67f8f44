import { join } from "node:path";
import { record } from "../support/recorded.ts";
import { benchArea, copyArea, resetArea } from "./areas.ts";
import { runHandScript } from "./hand-script.ts";
import { runReduce } from "./mtjobs-reduce.ts";
import { median, say, tell } from "./report.ts";

/** The same runs moved out of areas of growing size, down from `runs` to a tenth of it, by mtjobs and by the script. */
export async function compareGrowth(directory: string, runs: number, rounds: number): Promise<void> {
  const count = Math.max(1, Math.round(runs / 20));
  const sizes = [runs / 10, runs / 4, runs / 2, runs].map(Math.round);
  const times = new Map<number, { mtjobs: number[]; script: number[] }>();
  for (const size of sizes) {
    const original = benchArea(join(directory, `${size}`), size);
    const area = copyArea(original, join(directory, `${size}-copy`));
    const seen = { mtjobs: [] as number[], script: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      resetArea(original, area);
      seen.mtjobs.push((await runReduce(area, ["--run-id", firstRuns(count)])).ms);
      resetArea(original, area);
      seen.script.push(await runHandScript(area, `id <= ${count}`));
    }
    times.set(size, seen);
    const [mtjobs, script] = [median(seen.mtjobs), median(seen.script)];
    say(
      `the same ${count} runs out of ${size}: ${mtjobs.toFixed(0)} ms, the script ${script.toFixed(0)} ms (medians of ${rounds})`,
    );
    record("growth", { runs: size, mtjobs: Math.round(mtjobs), script: Math.round(script) });
  }
  const [small, large] = [times.get(sizes[0] as number), times.get(runs)];
  tell({
    figure: `the same ${count} runs, out of ${runs} / out of ${sizes[0]}`,
    aim: "at most 1.3",
    values: (large?.mtjobs ?? []).map((ms, round) => ms / (small?.mtjobs[round] ?? Number.NaN)),
  });
}

/** The ids of the first runs of an area, as `--run-id` takes them. */
export function firstRuns(count: number): string {
  return Array.from({ length: count }, (_, index) => index + 1).join(",");
}
