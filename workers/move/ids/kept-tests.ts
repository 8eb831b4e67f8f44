import { prepared } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import { planOf } from "../../records/record-session.ts";
import type { JobSession } from "../session/job-session.ts";
import { type KeptVersion, underNewIds } from "./kept-version.ts";
import { nameIn, namesAt } from "./name-of-version.ts";
import type { NewIds } from "./renumber-versions.ts";

// Tests that completed-runs.db has only as versions: they lost to a test of the same name, and their steps and data are
// kept with them. Their ids can be reused like those of moved rows.

/** Versions read in one statement. */
const chunk = 1_000;

/** Returns their ids that a source has, too: another test's, unless a restore or a dead job has left the same one there. */
export async function sharedKeptTests(session: JobSession): Promise<bigint[]> {
  const inSource = session.sources.map(
    (part) => `EXISTS (SELECT 1 FROM ${part}.tests AS x WHERE x.id = p.row_id)`,
  );
  const read = () =>
    preparedIds<[bigint, bigint]>(
      session.db,
      `SELECT DISTINCT p.row_id FROM completed.mtjobs_superseded AS p
       WHERE p.id BETWEEN ? AND ? AND p.table_name = 'tests' AND (${inSource.join(" OR ")})
         AND NOT EXISTS (SELECT 1 FROM completed.tests AS d WHERE d.id = p.row_id)`,
    );
  const found = new Set<bigint>();
  for await (const range of session.idRanges("completed.mtjobs_superseded", chunk))
    for (const id of await session.read(() => read().all(...range))) found.add(id);
  return [...found];
}

/** Returns those that another test has in a source. @param newIds of moved runs, whose tests they may be */
export function reusedKeptTests(
  session: JobSession,
  tests: readonly bigint[],
  newIds: Pick<NewIds, "runs">,
): bigint[] {
  const plan = planOf(session, "tests");
  const read = prepared<[bigint], KeptVersion>(
    session.db,
    `SELECT id, table_name, row_id, columns, row, carried FROM completed.mtjobs_superseded
     WHERE table_name = 'tests' AND row_id = ?`,
  ).safeIntegers();
  return tests.filter((test) => {
    const there = new Set(session.sources.flatMap((part) => namesAt(session, part, plan, test)));
    return read.all(test).some((version) => {
      const { row } = underNewIds(version, (table, id) =>
        table === "runs" ? (newIds.runs.get(id) ?? id) : id,
      );
      const name = nameIn(plan, version.columns, row);
      return name !== undefined && !there.has(name);
    });
  });
}
