import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere } from "./edit-area.ts";

/** Moves the tests of other runs to `run`, under new names; those runs stay, without tests. */
export function giveTestsTo(area: SampleArea, run: number, others: readonly number[]): void {
  edit(area, everywhere, (db) =>
    db
      .prepare(
        `UPDATE tests SET testname = testname || '_of_' || run_id, run_id = ?
         WHERE run_id IN (SELECT value FROM json_each(?))`,
      )
      .run(run, JSON.stringify(others)),
  );
}
