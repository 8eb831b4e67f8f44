import { existsSync } from "node:fs";
import { gapName, guardName } from "../../../shared/area-db/hidden-row-names.ts";
import { isWhole, readHidden } from "../../../shared/area-db/hidden-rows.ts";
import type { TableIds } from "../../../shared/area-db/hidden-values.ts";
import { identifiedTables } from "../../../shared/area-db/record-tables.ts";
import type { Connection, Part } from "../../../shared/sqlite/connection.ts";
import { largestId } from "../../../shared/sqlite/ids.ts";
import { hasTable } from "../../../shared/sqlite/table.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import type { Check } from "../../contract/area.ts";
import { bad, type CheckName, examine, good, note, repair } from "./check.ts";
import { type DoctorContext, nameOf } from "./context.ts";

/** Checks that the rows exist that keep ids of moved runs from being reused, and those of a migration's id gap. */
export async function checkGuards(
  { files }: DoctorContext,
  isFit: (part: Part) => boolean,
): Promise<Check[]> {
  const { completed } = files;
  if (completed === undefined || !existsSync(completed) || !isFit("completed")) return [];
  const checks: Check[] = [];
  for (const part of ["area", "cache", "ref"] as const) {
    const file = files[part];
    if (file === undefined || !isFit(part)) continue;
    const name = `guards/${nameOf[part]}` as const;
    checks.push(...(await examine(name, () => [checkPart(name, part, { [part]: file, completed })])));
  }
  return checks;
}

function checkPart(name: CheckName, part: Part, files: Partial<Record<Part, string>>): Check {
  const db = openReadonly(files);
  try {
    if (!hasTable(db, part, "runs") || !hasMoved(db))
      return good(name, "no run has moved: no ids need a guard");
    const { ids, areLasting } = readHidden(db, part, guardName);
    const missing = identifiedTables.filter((table) => (ids[table] ?? 0n) <= highest(db, table));
    if (missing.length > 0)
      return bad(name, `${missingText(missing, ids)}: Megatest may reuse ids of moved records`, {
        remedy: `${repair}, to restore them; do so before new runs are registered`,
        details: { missing },
      });
    if (!areLasting)
      return note(
        name,
        "the guard of test ids was written by an earlier version; Megatest's -remove-runs deletes it",
        {
          remedy: `${repair}, to replace it`,
        },
      );
    return checkGap(name, db, part);
  } finally {
    db.close();
  }
}

function missingText(missing: readonly string[], ids: Partial<TableIds>): string {
  const few = Object.keys(ids).length === 0;
  return few ? "the rows that guard ids are missing" : `no row guards the ids of ${missing.join(", ")}`;
}

function checkGap(name: CheckName, db: Connection, part: Part): Check {
  const gap = readHidden(db, part, gapName);
  const begun = Object.keys(gap.ids).length > 0;
  if (begun && !(isWhole(gap.ids) && gap.areLasting))
    return note(name, "the migration's id gap is incomplete, or -remove-runs would delete part of it", {
      remedy: `${repair}, to restore it`,
    });
  return good(name, "hidden rows guard the ids of moved records");
}

const hasMoved = (db: Connection) =>
  db
    .prepare<[], number>("SELECT EXISTS (SELECT 1 FROM completed.mtjobs_runs WHERE state <> 'copying')")
    .pluck()
    .get() === 1;

const highest = (db: Connection, table: string) => largestId(db, `completed.${table}`) ?? 0n;
