import { directoryColumns, formerDirectoryMark, namesDirectory } from "../../shared/former-directory.ts";
import { plural } from "../../shared/plural.ts";
import { prepared, quoteText } from "../../shared/sqlite/connection.ts";
import { sameRow } from "../../shared/sqlite/row-sql.ts";
import { withoutAnyTriggers } from "../../shared/sqlite/triggers.ts";
import { proveToken } from "../fence.ts";
import { type Move, planOf } from "./move.ts";
import type { Run } from "./run.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/** What the names that `renameRun` gives have in common. */
const suffix = ".restored";

/**
 * Gives a moved run the first free one of `<name>.restored`, `<name>.restored-2`, …, and marks the directories of its tests
 * as former ones: they are those of the run that has its name now. A dry run only tells it.
 */
export async function renameRun(move: Move, run: Run): Promise<Run> {
  const { context } = move;
  const renamed = await outwaitBusy(context.signal, () => {
    let runname = `${run.runname}${suffix}`;
    for (let count = 2; isTaken(move, run.id, runname); count++) runname = `${run.runname}${suffix}-${count}`;
    const marked = change(move, run.id, runname);
    return { ...run, runname, previousRunname: run.runname, marked };
  });
  if (move.token !== 0) context.failpoint("renamed");
  const { marked, ...named } = renamed;
  warn(move, named, marked);
  return named;
}

/**
 * The same for the directories of a run that bears such a name already: an earlier version of this program left them as they
 * were. Directories that have the run's name in their path are its own, as those of tests that ran again since.
 */
export async function markForeignDirectories(move: Move, run: Run): Promise<Run> {
  if (!run.runname.includes(suffix)) return run;
  const marked = await outwaitBusy(move.context.signal, () => change(move, run.id, null));
  if (marked > 0) warn(move, run, marked);
  return run;
}

/**
 * Gives the run the name, if one is given, and marks all directories: the name was free until now, so none of them is by it. Else
 * those alone whose paths do not have the run's name. Returns how many tests had one.
 */
function change(move: Move, run: bigint, runname: string | null): number {
  const { db, token } = move;
  const parameters = { run, runname };
  const present = planOf(move, "tests").columnsIn("completed");
  const columns = directoryColumns.filter((column) => present.some((name) => name.toLowerCase() === column));
  const isForeign = (column: string) =>
    `(${namesDirectory(column)} AND (:runname IS NOT NULL
       OR instr(${column} || '/', '/' || (SELECT runname FROM completed.runs WHERE id = :run) || '/') = 0))`;
  const some = columns.map(isForeign).join(" OR ") || "0";
  const count = () =>
    prepared<typeof parameters, number>(
      db,
      `SELECT count(*) FROM completed.tests WHERE run_id = :run AND (${some})`,
    )
      .pluck()
      .get(parameters) ?? 0;
  if (token === 0) return count();
  return transact(db, () => {
    proveToken(db, "completed", token, Date.now());
    return withoutAnyTriggers(db, "completed", () => {
      if (runname !== null)
        prepared(db, "UPDATE completed.runs SET runname = ? WHERE id = ?").run(runname, run);
      const tests = count();
      const marked = columns.map(
        (column) =>
          `${column} = CASE WHEN ${isForeign(column)} THEN ${quoteText(formerDirectoryMark)} || ${column} ELSE ${column} END`,
      );
      if (tests > 0)
        prepared(db, `UPDATE completed.tests SET ${marked.join(", ")} WHERE run_id = :run AND (${some})`).run(
          parameters,
        );
      return tests;
    });
  });
}

function warn({ tally }: Move, { id, target, runname }: Run, tests: number): void {
  if (tests === 0) return;
  tally.warn(
    `run ${id} (${target}/${runname}): ${plural(tests, "test")} named directories of the run that has its old name; rundir and shortdir are ${formerDirectoryMark}<directory> now, so that -remove-runs of it removes nothing there`,
  );
}

function isTaken(move: Move, run: bigint, runname: string): boolean {
  return [...move.sources, "completed"].some(
    (part) =>
      prepared<[string, bigint], number>(
        move.db,
        `SELECT EXISTS (SELECT 1 FROM ${part}.runs AS o CROSS JOIN completed.runs AS r
           WHERE o.runname = ? AND r.id = ? AND ${sameRow("o", "r", move.keys)})`,
      )
        .pluck()
        .get(runname, run) === 1,
  );
}
