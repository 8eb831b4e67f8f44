import { existsSync } from "node:fs";
import { targetKeys } from "../../../shared/area/config/config.ts";
import {
  assertCompletedKept,
  assertMegatestSchema,
  knownKeys,
} from "../../../shared/area-db/requirements.ts";
import type { Connection, Part } from "../../../shared/sqlite/connection.ts";
import { quoteName } from "../../../shared/sqlite/connection.ts";
import { isNotEmpty } from "../../../shared/sqlite/journal.ts";
import { hasTable } from "../../../shared/sqlite/table.ts";
import { plural } from "../../../shared/text.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import type { Check } from "../../contract/area.ts";
import { bad, type CheckName, examine, good, note, repair } from "./check.ts";
import { type DoctorContext, nameOf } from "./context.ts";
import { checkDirectories } from "./directories.ts";
import { checkGuards } from "./guards.ts";
import { type Budget, sumOver } from "./scan-budget.ts";

interface Scan {
  db: Connection;
  part: Part;
  budget: Budget;
  /** Columns that identify a row of `runs`. */
  runName: readonly string[];
  withCompleted: boolean;
}

/** Checks each database's schema, and its records against those of completed-runs.db. */
export async function checkRecords(context: DoctorContext, budget: Budget): Promise<Check[]> {
  const { files } = context;
  const checks: Check[] = [];
  for (const part of ["area", "cache", "ref", "completed"] as const) {
    const file = files[part];
    const name = `schema/${nameOf[part]}` as const;
    if (part === "completed" && !isNotEmpty(context.area.completedDb)) {
      checks.push(...(await examine(name, () => checkNoContent(name, context))));
    } else if (file !== undefined) {
      checks.push(...(await examine(name, () => [checkSchema(name, context, part, file)])));
    }
  }
  const isFit = (part: Part) =>
    !checks.some(({ name, ok }) => name === `schema/${nameOf[part]}` && ok !== true);
  for (const part of ["area", "cache"] as const) {
    if (files[part] === undefined || !isFit(part)) continue;
    checks.push(
      ...(await examine(`records/${nameOf[part]}`, () => checkSource(context, part, isFit, budget))),
    );
  }
  return [...checks, ...(await checkGuards(context, isFit))];
}

/** Checks a missing or empty completed-runs.db: a job creates it, unless the area had one before. */
function checkNoContent(name: CheckName, { area }: DoctorContext): Check[] {
  assertCompletedKept(area, openReadonly);
  if (!existsSync(area.completedDb)) return [];
  const verdict = "it is empty: a job ended before it had created the tables, and no run has moved yet";
  return [note(name, verdict, { remedy: "none needed: the next job fills it" })];
}

function checkSchema(name: CheckName, context: DoctorContext, part: Part, file: string): Check {
  const { area } = context;
  const db = openReadonly({ [part]: file });
  try {
    assertMegatestSchema(db, part, file);
    if (part !== "ref") knownKeys(db, part, file, area);
    if (part === "completed" && !hasTable(db, part, "mtjobs_runs")) {
      return bad(name, "it lacks the table mtjobs_runs: mtjobs did not create it", {
        remedy: "find out whose it is, and move it away before the next reduce",
      });
    }
    return good(name, "tables and columns are as expected");
  } finally {
    db.close();
  }
}

async function checkSource(
  { area, files }: DoctorContext,
  part: "area" | "cache",
  isFit: (part: Part) => boolean,
  budget: Budget,
): Promise<Check[]> {
  const { completed } = files;
  const withCompleted = completed !== undefined && isFit("completed");
  const db = openReadonly({ [part]: files[part] ?? "", ...(withCompleted ? { completed } : {}) });
  try {
    const keys = targetKeys(area.config);
    const scan: Scan = { db, part, budget, runName: ["runname", ...keys], withCompleted };
    return [
      await checkOrphans(scan),
      unlessWhole(...(await checkDirectories(scan, keys))),
      ...(withCompleted ? [await checkRunsInBoth(scan), await checkIds(scan)] : []),
    ];
  } finally {
    db.close();
  }
}

/** Adds to a verdict that not all rows were scanned. */
function unlessWhole(check: Check, whole: boolean): Check {
  if (whole || check.ok === false) return check;
  const verdict = `${check.verdict}, in the part scanned before time ran out`;
  return { ...check, ok: null, verdict };
}

async function checkOrphans({ db, part, budget, withCompleted }: Scan): Promise<Check> {
  const name = `orphans/${nameOf[part]}` as const;
  let [orphans, late, whole] = [0, 0, true];
  for (const [table, column, parent] of [
    ["tests", "run_id", "runs"],
    ["test_steps", "test_id", "tests"],
    ["test_data", "test_id", "tests"],
  ] as const) {
    const moved = withCompleted
      ? `sum(EXISTS (SELECT 1 FROM completed.${parent} AS d WHERE d.id = x.${column}))`
      : "0";
    const found = await sumOver(db, {
      part,
      table,
      budget,
      sql: `SELECT count(*), ${moved} FROM ${part}.${table} AS x WHERE x.id BETWEEN :from AND :to
        AND x.${column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${part}.${parent} AS p WHERE p.id = x.${column})`,
    });
    orphans += found.sums[0] ?? 0;
    late += found.sums[1] ?? 0;
    whole &&= found.whole;
  }
  const details = { orphans, ofMovedRuns: late };
  if (late > 0) {
    const verdict = `${plural(late, "late row")} of moved runs`;
    return bad(name, verdict, {
      remedy: `${repair}, to move ${late === 1 ? "it" : "them"} to completed-runs.db`,
      details,
    });
  }
  if (orphans > 0) {
    const verdict = `${plural(orphans, "row")} ${orphans === 1 ? "has" : "have"} no run or test, here or in completed-runs.db`;
    const remedy = "none needed: Megatest's -cleanup-db deletes them";
    return unlessWhole(note(name, verdict, { remedy, details }), whole);
  }
  return unlessWhole(good(name, "every test has its run, every step and datum its test"), whole);
}

/** Returns SQL that is true if rows `a` and `b` have the same name; NULL equals NULL. */
const sameName = (columns: readonly string[]) =>
  columns.map((column) => `a.${quoteName(column)} IS b.${quoteName(column)}`).join(" AND ");

async function checkRunsInBoth({ db, part, budget, runName }: Scan): Promise<Check> {
  const name = `in-both/${nameOf[part]}` as const;
  const { sums, whole } = await sumOver(db, {
    part: "completed",
    table: "runs",
    budget,
    sql: `SELECT count(*) FROM completed.runs AS b CROSS JOIN ${part}.runs AS a ON a.id = b.id
      WHERE b.id BETWEEN :from AND :to AND ${sameName(runName)}
        AND EXISTS (SELECT 1 FROM completed.mtjobs_runs AS m WHERE m.run_id = b.id AND m.state = 'moved')`,
  });
  const [risen = 0] = sums;
  const check =
    risen > 0
      ? bad(
          name,
          `${plural(risen, "moved run")} ${risen === 1 ? "is" : "are"} here as well: a sync, a refill or a restored backup put ${risen === 1 ? "it" : "them"} back`,
          {
            remedy: `${repair}, to remove ${risen === 1 ? "it" : "them"}; but not if a backup of only one of the two files was restored: then restore both`,
            details: { runs: risen },
          },
        )
      : good(name, "no moved run is here as well");
  return unlessWhole(check, whole);
}

/** Checks for ids that mean different records here and in completed-runs.db, and for names under two ids. */
async function checkIds({ db, part, budget, runName }: Scan): Promise<Check> {
  const name = `ids/${nameOf[part]}` as const;
  const clashes: Record<string, number> = {};
  let whole = true;
  for (const [table, columns] of [
    ["runs", runName],
    ["tests", ["run_id", "testname", "item_path"]],
  ] as const) {
    const found = await sumOver(db, {
      part: "completed",
      table,
      budget,
      sql: `SELECT count(*) FROM completed.${table} AS b CROSS JOIN ${part}.${table} AS a ON a.id = b.id
        WHERE b.id BETWEEN :from AND :to AND NOT (${sameName(columns)})`,
    });
    clashes[table] = found.sums[0] ?? 0;
    whole &&= found.whole;
  }
  const twice = await sumOver(db, {
    part: "completed",
    table: "runs",
    budget,
    sql: `SELECT count(*) FROM completed.runs AS b CROSS JOIN ${part}.runs AS a ON a.runname = b.runname
      WHERE b.id BETWEEN :from AND :to AND a.id <> b.id AND ${sameName(runName)}`,
  });
  return unlessWhole(idsVerdict(name, clashes, twice.sums[0] ?? 0), whole && twice.whole);
}

function idsVerdict(name: CheckName, clashes: Record<string, number>, twice: number): Check {
  const clashing = Object.entries(clashes).filter(([, count]) => count > 0);
  const details = { clashes, namesTwice: twice };
  if (clashing.length > 0) {
    const listed = clashing.map(([table, count]) => `${count} of ${table}`).join(", ");
    return bad(name, `reused ids mean other records in completed-runs.db: ${listed}`, {
      remedy: `${repair}, to give the moved records new ids`,
      details,
    });
  }
  if (twice > 0) {
    const verdict = `${plural(twice, "run")} ${twice === 1 ? "has" : "have"} the target and name of a moved run, under another id`;
    return note(name, verdict, {
      remedy: "rename or delete one of the two; a reduce skips them as conflict",
      details,
    });
  }
  return good(name, "no id is used twice", { details });
}
