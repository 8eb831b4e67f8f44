import { expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  constrain,
  edit,
  everywhere,
  filesOf,
  newArea,
  readRows,
} from "../../support/area.ts";
import { atRest, movedIds, runReduce, runRestore, skippedBy, unionOf } from "../../support/queue.ts";

/** Registers a run anew under the name of one that has moved. */
function registerAgain(area: SampleArea, runId: number): void {
  const [run] = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = ?", runId);
  const names = [...area.keys, "runname"];
  edit(area, everywhere, (db) =>
    db
      .prepare(
        `INSERT INTO runs (id, ${names.join(", ")}, state) VALUES (50, ${names.map(() => "?").join(", ")}, 'new')`,
      )
      .run(...names.map((name) => run?.[name])),
  );
}

it.each([
  [
    "the mark of its directories",
    "tests",
    /rundir TEXT DEFAULT '[^']*'/,
    "rundir TEXT CHECK (rundir NOT LIKE '%:%')",
  ],
  [
    "its new name",
    "runs",
    /runname TEXT/,
    "runname TEXT CHECK (runname = 'mtjobs-id-guard' OR length(runname) < 9)",
  ],
])(
  "a run stays, and the dry run says so too, where a site's constraint forbids %s; others come back",
  async (_, table, from, to) => {
    const area = newArea({ ...atRest, runs: 4 });
    edit(area, everywhere, (db) => db.exec("UPDATE tests SET rundir = '/links/x/' || id WHERE run_id = 2"));
    constrain(area, everywhere, table, from, to);
    await runReduce(area, { runname: undefined, runId: [2, 3] });
    registerAgain(area, 2);
    const before = unionOf(area);
    for (const dryRun of [true, false]) {
      const { result } = await runRestore(area, { onConflict: "rename", dryRun });
      expect([movedIds(result), skippedBy(result)]).toEqual([[3], { 2: "conflict" }]);
      expect(result.warnings).toEqual([expect.stringMatching(/^run 2 .* stays: .*CHECK constraint failed/)]);
    }
    assertNothingLost(before, unionOf(area));
  },
);
