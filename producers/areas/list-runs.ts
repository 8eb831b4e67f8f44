import { targetKeys } from "../../shared/area/config/config.ts";
import { matchRun, targetSql } from "../../shared/area-db/match-run.ts";
import { noMatchText } from "../../shared/area-db/no-match.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { foldName, NameSet } from "../../shared/sqlite/names.ts";
import type { RunId } from "../../shared/sqlite/run-id.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import { locateFiles, type ReadFiles } from "../full-db/locate.ts";
import { openReader, type Reader, toReadError } from "../full-db/open-reader.ts";

/** A value as read; integers are bigints, so that whole numbers of a REAL column stay distinct. */
export type Stored = string | number | bigint | Buffer | null;

export type StoredRow = Record<string, Stored>;

export interface ListedTest {
  fields: StoredRow;
  /** For tests other than PASS, WARN or NOT_STARTED. */
  steps?: StoredRow[];
}

export interface ListedRun {
  id: bigint;
  /** Key values joined by `/`. */
  target: string;
  /**
   * The keys, id, runname, state, status, owner, event_time, comment, fail_count and pass_count, if the columns
   * exist.
   */
  fields: StoredRow;
  /** In full-db mode only. */
  where?: "megatest.db" | "completed-runs.db";
  /** In Megatest's order: by name and item, descending. */
  tests: ListedTest[];
}

/** Selects runs that match all members. Patterns are Megatest's. */
export interface ListRequest {
  runname?: string | undefined;
  target?: string | undefined;
  state?: string | undefined;
  status?: string | undefined;
  runId?: readonly RunId[] | undefined;
  fullDb?: boolean;
}

const runFields = "id runname state status owner event_time comment fail_count pass_count".split(" ");
const testFields =
  `id testname item_path state status run_duration event_time host comment cpuload diskfree uname rundir shortdir
  final_logf attemptnum archived`.split(/\s+/);
const stepFields = "id stepname state status event_time comment logfile".split(" ");

export interface RunList {
  area: string;
  source: ReadFiles["source"];
  /** Reads each run and its tests in separate statements, so that no lock lasts. */
  runs(): Generator<ListedRun>;
  /** Describes patterns that match no run; undefined if only `%` was given or there is no run. */
  noMatch(): string | undefined;
  close(): void;
}

/**
 * Lists runs by start time, without hidden ones. Read-only.
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
  const present = () => {
    const columns = new NameSet(columnNames(reader.db, "main", "runs"));
    return { columns, keys: keys.filter((key) => columns.has(key)) };
  };
  return {
    area: area.path,
    source: files.source,
    runs: () => readRuns(reader, files, present, request),
    noMatch: () => noMatchText(reader.db, "runs", present().keys, request),
    close: () => reader.close(),
  };
}

function* readRuns(
  { db, union }: Reader,
  files: ReadFiles,
  present: () => { columns: NameSet; keys: string[] },
  request: ListRequest,
): Generator<ListedRun> {
  try {
    const { columns, keys } = present();
    const fields = [...keys, ...runFields.filter((field) => columns.has(field))];
    const completed = union?.rule?.isCompleted("r.id") ?? "0";
    const { sql: where, parameters } = matchRun(keys, request);
    const runs = db
      .prepare<unknown[], StoredRow>(
        `SELECT r.*, ${targetSql(keys, "r")} AS mtjobs_target, ${completed} AS mtjobs_completed FROM runs AS r
         WHERE coalesce(r.state, '') <> 'deleted' AND ${where} ORDER BY r.event_time, r.id`,
      )
      .safeIntegers()
      .all(...parameters);
    const tests = db
      .prepare<[Stored], StoredRow>(
        `SELECT * FROM tests WHERE run_id = ? AND coalesce(state, '') <> 'DELETED'
         ORDER BY testname DESC, item_path DESC, id DESC`,
      )
      .safeIntegers();
    const steps = db
      .prepare<[Stored], StoredRow>(
        "SELECT * FROM test_steps WHERE test_id = ? AND status <> 'DELETED' ORDER BY id",
      )
      .safeIntegers();
    for (const run of runs.map(folded)) {
      yield {
        id: run.id as bigint,
        target: String(run.mtjobs_target),
        fields: chosen(run, fields),
        ...(union === undefined
          ? {}
          : { where: run.mtjobs_completed === 1n ? "completed-runs.db" : "megatest.db" }),
        tests: tests
          .all(run.id ?? null)
          .map(folded)
          .map((test) => ({
            fields: chosen(test, testFields),
            ...(isOneLine(test)
              ? {}
              : { steps: steps.all(test.id ?? null).map((step) => chosen(folded(step), stepFields)) }),
          })),
      };
    }
  } catch (error) {
    throw toReadError(error, files);
  }
}

/** Returns a row with folded column names, as SQLite compares them. */
function folded(row: StoredRow): StoredRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [foldName(name), value]));
}

/** Megatest prints one line for such tests. */
function isOneLine({ state, status }: StoredRow): boolean {
  return status === "PASS" || status === "WARN" || state === "NOT_STARTED";
}

function chosen(row: StoredRow, fields: readonly string[]): StoredRow {
  return Object.fromEntries(
    fields.flatMap((field) => (foldName(field) in row ? [[field, row[foldName(field)] ?? null]] : [])),
  );
}
