import { matchPatterns } from "../../shared/area-db/match-run.ts";
import { JobsError } from "../../shared/errors.ts";
import { quoteName } from "../../shared/sqlite/connection.ts";
import { formerDirectory, namesDirectory } from "../../shared/sqlite/former-directory.ts";
import { idAfter } from "../../shared/sqlite/ids.ts";
import { isIdText, lowestId, shownId } from "../../shared/sqlite/run-id.ts";
import type { BrowsedData, BrowsedStep, BrowsedTest, TestDetail, TestsPage } from "../contract/runs.ts";
import type { Value } from "../full-db/parameters.ts";
import { BoundedList } from "./bounded.ts";
import { browsedRun, runRowReader } from "./browse-runs.ts";
import {
  columnsOf,
  eachRow,
  idChunks,
  type OpenedRuns,
  type Reading,
  type RowsOf,
  readAll,
  withRuns,
} from "./reading.ts";
import { RowReader, secondsOrZero, startOf } from "./row-reader.ts";

/** Megatest does not show other tests. */
export const shownTests = "coalesce(r.state, '') <> 'DELETED'";

export interface TestsRequest {
  /** Patterns, as for runs. */
  testname?: string | undefined;
  state?: string | undefined;
  status?: string | undefined;
  cursor?: string | undefined;
  limit: number;
}

/** Where the pages of steps and of data begin. */
export interface TestRequest {
  steps?: string | undefined;
  data?: string | undefined;
  limit: number;
}

/** Bytes of the list of steps, and of data, as JSON. */
const detailBytes = 60_000;

/** @throws {JobsError} `unknown-run` */
export function findRun(opened: OpenedRuns, runId: string): RowReader {
  const row = runRowReader(opened)(BigInt(runId));
  if (row !== undefined) return row;
  throw new JobsError("unknown-run", `${opened.area} has no run ${runId}`, {
    hint: "it may have been removed, or have come back under another id",
  });
}

/**
 * Returns a page of a run's tests, by id: in the order in which they were registered.
 *
 * @throws {JobsError} as `withRuns`; `unknown-run`; `usage` for a wrong cursor
 */
export async function browseTests(
  path: string,
  runId: string,
  request: TestsRequest,
  reading: Reading,
): Promise<TestsPage> {
  return await withRuns(path, reading, (opened) => {
    findRun(opened, runId);
    const terms = (["testname", "state", "status"] as const).flatMap((column) =>
      request[column] === undefined ? [] : [matchPatterns(`coalesce(r.${column}, '')`, request[column])],
    );
    const list = new BoundedList<BrowsedTest>();
    const next = fillPage(opened, list, {
      table: "tests",
      owner: { column: "run_id", id: BigInt(runId) },
      fields: testFields,
      where: [shownTests, ...terms.map(({ sql }) => sql)].join(" AND "),
      parameters: terms.flatMap(({ parameters }) => parameters),
      cursor: request.cursor,
      limit: request.limit,
      toRow: (row) => ({ ...browsedTest(row), ...row.cut }),
    });
    return { tests: list.rows, next };
  });
}

/** Returns a test of a run, with pages of its steps and its data. @throws {JobsError} as `browseTests` */
export async function browseTest(
  path: string,
  { runId, testId }: { runId: string; testId: string },
  request: TestRequest,
  reading: Reading,
): Promise<TestDetail> {
  return await withRuns(path, reading, (opened) => {
    const { id, target, runname, where } = browsedRun(findRun(opened, runId), opened.keys);
    const [found] = readAll(
      opened.db,
      `SELECT ${selected(opened, "tests", [...testFields, ...moreTestFields])} FROM tests AS r
       WHERE r.id = ? AND r.run_id = ? AND ${shownTests}`,
      BigInt(testId),
      BigInt(runId),
    );
    if (found === undefined) {
      throw new JobsError("unknown-run", `run ${runId} of ${opened.area} has no test ${testId}`, {
        hint: "GET …/tests lists its tests",
      });
    }
    const test = new RowReader(found);
    const owner = { column: "test_id", id: BigInt(testId) } as const;
    const { limit } = request;
    const steps = new BoundedList<BrowsedStep>(detailBytes);
    const nextSteps = fillPage(opened, steps, {
      ...{ table: "test_steps", owner, fields: stepFields, limit, cursor: request.steps },
      ...{ where: "coalesce(r.status, '') <> 'DELETED'", parameters: [], toRow: browsedStep },
    });
    const data = new BoundedList<BrowsedData>(detailBytes);
    const nextData = fillPage(opened, data, {
      ...{ table: "test_data", owner, fields: dataFields, limit, cursor: request.data },
      ...{ where: "1", parameters: [], toRow: browsedData },
    });
    return {
      area: opened.area,
      run: { id, target, runname, where },
      test: {
        ...browsedTest(test),
        uname: test.text("uname"),
        cpuload: test.number("cpuload"),
        diskfree: test.number("diskfree"),
        archived: test.number("archived"),
        ...test.cut,
      },
      steps: { rows: steps.rows, next: nextSteps },
      data: { rows: data.rows, next: nextData },
    };
  });
}

interface PageOf<Row> extends RowsOf {
  owner: NonNullable<RowsOf["owner"]>;
  fields: readonly string[];
  /** SQL on `r`, and its parameters. */
  where: string;
  parameters: readonly Value[];
  cursor: string | undefined;
  limit: number;
  toRow: (row: RowReader) => Row;
}

/** Adds rows to a list, by id; returns the cursor of the next page. @throws {JobsError} `usage` */
function fillPage<Row>(opened: OpenedRuns, list: BoundedList<Row>, page: PageOf<Row>): string | null {
  const { table, owner, limit, cursor } = page;
  if (cursor !== undefined && !isIdText(cursor)) {
    throw new JobsError("usage", "the cursor is not one that this server gave", {
      hint: "pass the value of next of the page before",
    });
  }
  const from = cursor === undefined ? lowestId : idAfter(lowestId, BigInt(cursor));
  if (from === undefined) return null;
  const statement = `SELECT ${selected(opened, table, page.fields)} FROM ${table} AS r
    WHERE r.${owner.column} = ? AND r.id BETWEEN ? AND ? AND ${page.where} ORDER BY r.id LIMIT ${limit + 1}`;
  let last = "";
  for (const range of idChunks(opened.db, { table, owner }, from)) {
    for (const found of eachRow(opened.db, statement, owner.id, ...range, ...page.parameters)) {
      const row = new RowReader(found);
      if (list.rows.length === limit || !list.add(page.toRow(row))) return last;
      last = String(row.id);
    }
  }
  return null;
}

const testFields =
  "testname item_path state status host comment event_time run_duration rundir shortdir final_logf attemptnum".split(
    " ",
  );
const moreTestFields = "uname cpuload diskfree archived".split(" ");
const stepFields = "stepname state status event_time comment logfile".split(" ");
const dataFields = "category variable value expected tol units comment status type".split(" ");

/** SQL: the id and these columns, as far as the table has them. Times are seconds or 0. */
function selected({ db }: OpenedRuns, table: RowsOf["table"], fields: readonly string[]): string {
  const columns = columnsOf(db, table);
  const terms = fields
    .filter((field) => columns.has(field))
    .map((field) => {
      if (field === "event_time") return `${secondsOrZero("r.event_time")} AS event_time`;
      if (field !== "rundir" && field !== "shortdir") return `${startOf(field)} AS ${quoteName(field)}`;
      // A directory before a restore under another name is no directory of this run.
      return `${startOf(field)} AS ${field}, ${namesDirectory(`r.${field}`)} AS has_${field}`;
    });
  return ["r.id AS id", ...terms].join(", ");
}

/** Without `cut`, which must be read last. */
function browsedTest(row: RowReader): BrowsedTest {
  const directory = (column: "rundir" | "shortdir") =>
    row.plainNumber(`has_${column}`) === 1 ? row.name(column) : null;
  const former = formerDirectory(row.name("rundir"));
  return {
    id: shownId(row.id),
    testname: row.name("testname"),
    itemPath: row.name("item_path", "itemPath"),
    state: row.text("state"),
    status: row.text("status"),
    host: row.text("host"),
    comment: row.text("comment"),
    begunAt: row.seconds("event_time"),
    durationSeconds: row.plainNumber("run_duration"),
    rundir: directory("rundir"),
    shortdir: directory("shortdir"),
    ...(former === undefined ? {} : { formerRundir: former }),
    finalLog: row.name("final_logf", "finalLog"),
    attempt: row.plainNumber("attemptnum"),
  };
}

function browsedStep(row: RowReader): BrowsedStep {
  return {
    id: shownId(row.id),
    stepname: row.text("stepname"),
    state: row.text("state"),
    status: row.text("status"),
    begunAt: row.seconds("event_time"),
    comment: row.text("comment"),
    logfile: row.name("logfile"),
    ...row.cut,
  };
}

function browsedData(row: RowReader): BrowsedData {
  return {
    id: shownId(row.id),
    category: row.text("category"),
    variable: row.text("variable"),
    value: row.number("value"),
    expected: row.number("expected"),
    tol: row.number("tol"),
    units: row.text("units"),
    comment: row.text("comment"),
    status: row.text("status"),
    type: row.text("type"),
    ...row.cut,
  };
}
