import { areaTables, identifiedTables, recordShapes } from "../../shared/area-db/record-tables.ts";
import { JobsError } from "../../shared/errors.ts";
import {
  type Connection,
  openReadonlyConnection,
  prepared,
  quoteName,
} from "../../shared/sqlite/connection.ts";
import { preparedIds } from "../../shared/sqlite/ids.ts";
import { journalMode } from "../../shared/sqlite/journal.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames, hasTable } from "../../shared/sqlite/table.ts";
import { busyTimeoutMs } from "../area-db/databases.ts";
import type { Run } from "../area-db/run.ts";
import { supersededOfRuns } from "../move/copy/superseded-of-runs.ts";
import type { JobSession } from "../move/session/job-session.ts";
import { exportVersion } from "./write-export.ts";

/** What an export says of itself. */
export interface ExportFacts extends Run {
  areaId: string;
  areaPath: string;
}

/** @throws JobsError `bad-payload` if a file is no database, or in WAL mode */
export function assertDatabaseFile(path: string): void {
  const mode = journalMode(path);
  if (mode === "rollback") return;
  throw notAnExport(path, mode === "wal" ? "it is in WAL mode" : "it is no SQLite database");
}

/**
 * Reads what an export holds, and checks that it is one, sound and complete. Opens the file read-only.
 *
 * @param file the export, or a private copy of it
 * @param path of the export
 * @throws JobsError `bad-payload` if it is no export; `corrupt`
 */
export function readExport(file: string, path = file): ExportFacts {
  assertDatabaseFile(file);
  const db = openReadonlyConnection({ export: file }, { busyTimeoutMs });
  try {
    assertSound(db, path);
    return readContent(db, path);
  } finally {
    db.close();
  }
}

function readContent(db: Connection, path: string): ExportFacts {
  if (!hasTable(db, "export", "mtjobs_export")) throw notAnExport(path, "it has no table mtjobs_export");
  assertTables(db, path);
  const facts = readFacts(db, path);
  assertOneRun(db, path, facts.id);
  return facts;
}

/** @throws JobsError `corrupt` */
function assertSound(db: Connection, path: string): void {
  const [first] = db.pragma("export.integrity_check(1)") as { integrity_check: string }[];
  if (first?.integrity_check !== "ok") throw damagedExport(path, String(first?.integrity_check));
}

export function damagedExport(path: string, problem: string): JobsError {
  return new JobsError("corrupt", `${path} is damaged: ${problem}`, {
    hint: "check that file system; nothing was removed from the area",
  });
}

function readFacts(db: Connection, path: string): ExportFacts {
  const rows = db
    .prepare<[], { version: bigint; id: bigint } & Record<string, string>>(
      `SELECT version, run_id AS id, target, runname, area_id AS areaId, area_path AS areaPath FROM export.mtjobs_export
       LIMIT 2`,
    )
    .safeIntegers()
    .all();
  const [facts] = rows;
  if (facts === undefined || rows.length > 1) throw notAnExport(path, "mtjobs_export must have one row");
  if (facts.version > exportVersion) {
    throw new JobsError("bad-payload", `${path} was written by a later mtjobs`, {
      hint: "import it with that version of mtjobs or a later one",
    });
  }
  const { id, target, runname, areaId, areaPath } = facts;
  return {
    id,
    target: String(target),
    runname: String(runname),
    areaId: String(areaId),
    areaPath: String(areaPath),
    exportFile: path,
  };
}

const ownTables = ["mtjobs_runs", "mtjobs_superseded", "mtjobs_archived"];

const ownChildren = [
  { table: "mtjobs_runs", parent: "run_id" },
  { table: "mtjobs_archived", parent: "test_id" },
];

/** Rows of anything else would be added to other runs. */
function assertOneRun(db: Connection, path: string, run: bigint): void {
  const runs = preparedIds<[]>(db, "SELECT id FROM export.runs LIMIT 2").all();
  if (runs.length !== 1 || runs[0] !== run)
    throw notAnExport(path, "it does not hold the one run that it names");
  const children = [...recordShapes.filter(({ parent }) => parent !== null), ...ownChildren];
  for (const { table, parent } of children) {
    if (!hasTable(db, "export", table)) continue;
    const belongs =
      parent === "run_id"
        ? "e.run_id = ?"
        : "e.test_id IN (SELECT t.id FROM export.tests AS t WHERE t.run_id = ?)";
    const others = db.prepare(
      `SELECT EXISTS (SELECT 1 FROM export.${table} AS e WHERE NOT coalesce(${belongs}, 0))`,
    );
    if (others.pluck().get(run) === 1) throw notAnExport(path, `rows of ${table} belong to another run`);
  }
}

/** Views of these names could be anything. */
function assertTables(db: Connection, path: string): void {
  const needed = [...identifiedTables, "keys", ...ownTables];
  const missing = needed.find((table) => !hasTable(db, "export", table));
  if (missing !== undefined) throw notAnExport(path, `it has no table ${missing}`);
  const known = new NameSet([
    ...recordShapes.map(({ table }) => table),
    ...Object.keys(areaTables),
    ...ownTables,
  ]);
  const view = db
    .prepare<[], string>("SELECT name FROM export.sqlite_schema WHERE type = 'view'")
    .pluck()
    .all()
    .find((name) => known.has(name));
  if (view !== undefined) throw notAnExport(path, `${view} is a view in it`);
}

/**
 * Checks that every version kept in the attached export belongs to its run: by its values, any could be another run's.
 *
 * @throws JobsError `bad-payload`
 */
export async function assertVersionsOfRun(session: JobSession, facts: ExportFacts): Promise<void> {
  const { db } = session;
  const ofRun = (await supersededOfRuns(session, "export")).get(facts.id)?.length ?? 0;
  const count = prepared<[], number>(db, "SELECT count(*) FROM export.mtjobs_superseded").pluck();
  const all = await session.read(() => count.get());
  if (all !== ofRun)
    throw notAnExport(facts.exportFile ?? "", "rows of mtjobs_superseded belong to another run");
}

function notAnExport(path: string, why: string): JobsError {
  return new JobsError("bad-payload", `${path} is not an export of mtjobs: ${why}`, {
    hint: "name a file that mtjobs purge --export has written",
  });
}

/**
 * Checks that an export fits the area. `export` is attached.
 *
 * @throws JobsError `conflict` for an export of another area; `unknown-schema` if completed-runs.db cannot hold it
 */
export function assertFits(
  session: JobSession,
  { areaId, areaPath, exportFile = "" }: ExportFacts,
  { id, anyArea }: { id: string; anyArea: boolean },
): void {
  const { db, records, keys } = session;
  if (areaId !== id && !anyArea) {
    throw new JobsError("conflict", `${exportFile} is of another area, ${areaPath}`, {
      hint: "name that area; or, if this is its successor with the same target keys, add --any-area",
      details: { area: areaPath, areaId },
    });
  }
  const runColumns = new NameSet(columnNames(db, "export", "runs"));
  const missing = keys.find((key) => !runColumns.has(key));
  if (missing !== undefined) {
    throw new JobsError("conflict", `${exportFile} has no target key ${missing}, which the area has`, {
      hint: "import it into an area with the same target keys",
    });
  }
  for (const { table, columnsIn } of records) {
    const known = new NameSet(columnsIn("completed"));
    for (const column of columnNames(db, "export", table).filter((name) => !known.has(name))) {
      const used = prepared<[], number>(
        db,
        `SELECT EXISTS (SELECT 1 FROM export.${table} WHERE ${quoteName(column)} IS NOT NULL)`,
      ).pluck();
      if (used.get() === 0) continue;
      throw new JobsError(
        "unknown-schema",
        `${exportFile} has values in ${table}.${column}, a column that the area lacks`,
        {
          hint: `add the column to megatest.db, as in: ALTER TABLE ${table} ADD COLUMN ${column}; then import again`,
        },
      );
    }
  }
}
