import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { newArea, readColumn, variable } from "../support/area.ts";
import { runReduce } from "../support/queue.ts";
import { drawReduce, type Moment } from "./reduce-animation.ts";

const shape = { runs: 90, testsPerRun: 250, stepsPerTest: 1, inFlight: 0, unsynced: false };

it("a reduce is drawn as it went, batch by batch, from all runs here to the chosen ones there", async () => {
  const area = newArea(shape);
  let began: number | undefined;
  const count = (file: string, where: string) =>
    Number(readColumn(join(area.directory, file), `SELECT count(*) FROM runs WHERE ${where}`)[0]);
  const moments: Moment[] = [{ ms: 0, megatest: shape.runs, completed: 0 }];
  await runReduce(
    area,
    { keep: 1 },
    {
      failpoint: (name) => {
        if (name !== "copied" && name !== "removed-from-area") return;
        // From the first batch on: what comes before is the same however many runs move.
        began ??= performance.now() - 200;
        moments.push({
          ms: performance.now() - began,
          megatest: count("megatest.db", "runname <> 'mtjobs-id-guard'"),
          completed: count("completed-runs.db", "1"),
        });
      },
    },
  );
  const left = moments.at(-1)?.megatest ?? 0;
  expect(moments.length).toBeGreaterThan(3);
  expect(left).toBeLessThan(shape.runs);
  const tests = ((shape.runs - left) * shape.testsPerRun).toLocaleString("en-US");
  const title = `A reduce: ${shape.runs - left} of ${shape.runs} runs with ${tests} tests move, each compared before it is removed`;
  const svg = drawReduce(moments, title);
  expect(svg.match(/<animate /g)).toHaveLength(moments.length);
  const pictures = variable("SCREENSHOTS");
  if (pictures !== "") writeFileSync(join(pictures, "reduce.svg"), svg);
});
