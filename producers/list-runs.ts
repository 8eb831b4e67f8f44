import { targetKeys } from "../shared/area/keys.ts";
import { formerDirectory } from "../shared/former-directory.ts";
import { locateFiles, type ReadFiles } from "../shared/full-db/locate.ts";
import { openReader, type Reader, toReadError } from "../shared/full-db/open.ts";
import { matchRun, targetSql } from "../shared/patterns.ts";
import { type RunId, shownId } from "../shared/run-id.ts";
import type { Settings } from "../shared/settings.ts";
import { foldName, NameSet } from "../shared/sqlite/names.ts";
import { columnNames } from "../shared/sqlite/table.ts";

/** A value of a record; an integer as `RunId` says. */
type Cell = string | number | null;
/** As it is read. */
type Stored = Cell | bigint;

/** A run as `list-runs` tells it. */
export interface ListedRun {
  id: RunId;
  /** Key values joined by `/`. */
  target: string;
  /** The keys, id, runname, state, status, owner, event_time, comment, fail_count and pass_count, as far as there are such columns. */
  fields: Record<string, Cell>;
  /** In full-db mode only. */
  where?: "megatest.db" | "completed-runs.db";
  tests: Record<string, Cell>[];
}

/** Which runs; all that is given must hold. Patterns are Megatest's. */
export interface ListRequest {
  runname?: string | undefined;
  target?: string | undefined;
  state?: string | undefined;
  status?: string | undefined;
  runId?: readonly RunId[] | undefined;
  fullDb?: boolean;
}

const runFields = "id runname state status owner event_time comment fail_count pass_count".split(" ");
const testFields = "id testname item_path state status run_duration event_time host comment rundir".split(
  " ",
);

/** What was found, to be read run by run. */
export interface RunList {
  area: string;
  source: ReadFiles["source"];
  /** Each run is read with its tests in statements of their own, so that no lock lasts. */
  runs(): Generator<ListedRun>;
  close(): void;
}

/**
 * Lists runs by their beginning, hidden ones left out. Reads only.
 *
 * @param path absolute
 * @throws {JobsError} as `locateFiles` and `openReader`
 */
export async function listRuns(
  path: string,
  request: ListRequest,
  { settings, env }: { settings: Settings; env: NodeJS.ProcessEnv },
): Promise<RunList> {
  const { area, files } = await locateFiles(path, { settings, env });
  const reader = openReader(files, { fullDb: request.fullDb === true });
  const keys = targetKeys(area.config);
  return {
    area: area.path,
    source: files.source,
    runs: () => readRuns(reader, files, keys, request),
    close: () => reader.close(),
  };
}

function* readRuns(
  { db, union }: Reader,
  files: ReadFiles,
  configured: readonly string[],
  request: ListRequest,
): Generator<ListedRun> {
  try {
    const present = new NameSet(columnNames(db, "main", "runs"));
    const keys = configured.filter((key) => present.has(key));
    const fields = [...keys, ...runFields.filter((field) => present.has(field))];
    const completed = union?.rule?.isCompleted("r.id") ?? "0";
    const { sql: where, parameters } = matchRun(targetSql(keys, "r"), request);
    const runs = db
      .prepare<unknown[], Record<string, Stored>>(
        `SELECT r.*, ${targetSql(keys, "r")} AS mtjobs_target, ${completed} AS mtjobs_completed FROM runs AS r
         WHERE coalesce(r.state, '') <> 'deleted' AND ${where} ORDER BY r.event_time, r.id`,
      )
      .safeIntegers()
      .all(...parameters);
    const tests = db
      .prepare<[Stored], Record<string, Stored>>(
        "SELECT * FROM tests WHERE run_id = ? AND coalesce(state, '') <> 'DELETED' ORDER BY testname, item_path, id",
      )
      .safeIntegers();
    for (const run of runs.map(folded)) {
      yield {
        id: shown(run.id) as RunId,
        target: String(run.mtjobs_target),
        fields: chosen(run, fields),
        ...(union === undefined
          ? {}
          : { where: run.mtjobs_completed === 1n ? "completed-runs.db" : "megatest.db" }),
        tests: tests.all(run.id ?? null).map((test) => withFormerDirectory(chosen(folded(test), testFields))),
      };
    }
  } catch (error) {
    throw toReadError(error, files);
  }
}

/** A row by its columns' names as SQLite compares them. */
function folded(row: Record<string, Stored>): Record<string, Stored> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [foldName(name), value]));
}

function chosen(row: Record<string, Stored>, fields: readonly string[]): Record<string, Cell> {
  return Object.fromEntries(
    fields.flatMap((field) => (foldName(field) in row ? [[field, shown(row[foldName(field)])]] : [])),
  );
}

function withFormerDirectory(test: Record<string, Cell>): Record<string, Cell> {
  const former = formerDirectory(test.rundir);
  return former === undefined ? test : { ...test, formerRundir: former };
}

function shown(value: Stored | undefined): Cell {
  return typeof value === "bigint" ? shownId(value) : (value ?? null);
}
