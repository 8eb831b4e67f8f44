import type { Connection, Part } from "../../../shared/sqlite/connection.ts";
import { quoteName } from "../../../shared/sqlite/connection.ts";
import { namesDirectory } from "../../../shared/sqlite/former-directory.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import { columnNames } from "../../../shared/sqlite/table.ts";
import { plural } from "../../../shared/text.ts";
import type { Check } from "../../contract/area.ts";
import { bad, good } from "./check.ts";
import { nameOf } from "./context.ts";
import { type Budget, sumOver } from "./scan-budget.ts";

/**
 * Finds runs that an earlier version of this program restored under another name, and whose tests still name the
 * directories of the run that now has the old name.
 *
 * @returns the check, and whether all runs were scanned
 */
export async function checkDirectories(
  { db, part, budget }: { db: Connection; part: Part; budget: Budget },
  keys: readonly string[],
): Promise<[Check, boolean]> {
  const name = `directories/${nameOf[part]}` as const;
  if (!new NameSet(columnNames(db, part, "tests")).has("rundir"))
    return [good(name, "tests have no directories"), true];
  const sameTarget = ["", ...keys.map((key) => `o.${quoteName(key)} IS r.${quoteName(key)}`)].join(" AND ");
  const { sums, whole } = await sumOver(db, {
    part,
    table: "runs",
    budget,
    sql: `SELECT count(*) FROM ${part}.runs AS r WHERE r.id BETWEEN :from AND :to
      AND instr(r.runname, '.restored') > 1 AND coalesce(r.state, '') <> 'deleted'
      AND EXISTS (SELECT 1 FROM ${part}.runs AS o
        CROSS JOIN ${part}.tests AS a ON a.run_id = r.id
        CROSS JOIN ${part}.tests AS b ON b.run_id = o.id AND b.testname IS a.testname AND b.item_path IS a.item_path
        WHERE o.runname = substr(r.runname, 1, instr(r.runname, '.restored') - 1)${sameTarget}
          AND ${namesDirectory("a.rundir")} AND a.rundir = b.rundir)`,
  });
  const [runs = 0] = sums;
  const check =
    runs > 0
      ? bad(
          name,
          `${plural(runs, "run")} named .restored: the tests name the directories of the run that has the old name, so -remove-runs would remove that run's results`,
          {
            remedy:
              "reduce and restore the runs named .restored; this version clears directories of other runs",
            details: { runs },
          },
        )
      : good(name, "no run restored under another name names another run's directories");
  return [check, whole];
}
