import type Database from "better-sqlite3";
import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";

/**
 * The rows that a Megatest sync carries, as it would have left them in megatest.db and the ref:
 * `last_update` is the time of that sync, whatever the row's own history.
 */

const day = 86_400;
const stepNames = ["setup", "compile", "simulate", "compare", "report", "publish", "clean"] as const;
const stepStates = ["start", "end", "check", "retry"] as const;
const variables = ["area", "power", "slack", "runtime", "coverage", "leakage", "hold", "skew"] as const;
const keyValues: readonly (readonly [string, ...string[]])[] = [
  ["ubuntu", "debian", "rhel"],
  ["nfs", "lustre"],
  ["none", "nightly"],
];

type Insert = (...values: (string | number | null)[]) => number;

interface Writer {
  runs: Insert;
  tests: Insert;
  steps: Insert;
  data: Insert;
}

interface Run {
  id: number;
  startedAt: number;
  inFlight: boolean;
  /** Old enough for its tests to lie in an archive. */
  archived: boolean;
}

/** Fills an empty database in one transaction. Counts are exact: every test has all its steps and data. */
export function insertRecords(db: Database.Database, plan: Plan, random: Random): void {
  db.transaction(() => {
    insertAreaRows(db, plan);
    const writer = writerOf(db, plan);
    const runsOfWeek = new Map<number, number>();
    for (let id = 1; id <= plan.runs; id++) {
      const startedAt = startOf(id, plan);
      const week = weekOf(startedAt);
      const number = (runsOfWeek.get(week) ?? 0) + 1;
      runsOfWeek.set(week, number);
      const run = { id, startedAt, inFlight: id > plan.runs - plan.inFlight, archived: id * 10 <= plan.runs };
      insertRun(writer, plan, random, run, `w${String(week).padStart(2, "0")}.${number}`);
    }
  })();
}

function insertAreaRows(db: Database.Database, plan: Plan): void {
  const key = db.prepare("INSERT INTO keys (fieldname, fieldtype) VALUES (?, 'TEXT')");
  for (const name of plan.keys) key.run(name);
  db.prepare("INSERT INTO metadat (var, val) VALUES ('MEGATEST_VERSION', '1.6584')").run();
  const meta = db.prepare(
    `INSERT INTO test_meta (testname, owner, description, reviewed, avg_runtime, tags)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  for (const [index, name] of testNames(plan.testsPerRun).entries()) {
    meta.run(
      name,
      plan.user,
      `what ${name} proves`,
      index % 3 === 0 ? plan.now - day : null,
      1.5 * index,
      "nightly",
    );
  }
}

function writerOf(db: Database.Database, plan: Plan): Writer {
  const insert = (table: string, columns: string): Insert => {
    const names = plan.old ? columns : `${columns}, last_update`;
    const marks = names.replaceAll(/[^,]+/g, "?");
    const statement = db.prepare(`INSERT INTO ${table} (${names}) VALUES (${marks})`);
    return (...values) =>
      Number(statement.run(...(plan.old ? values : [...values, plan.syncedAt])).lastInsertRowid);
  };
  const keys = plan.keys.map((key) => `"${key}", `).join("");
  return {
    runs: insert(
      "runs",
      `${keys}id, runname, state, status, owner, event_time, comment, fail_count, pass_count`,
    ),
    tests: insert(
      "tests",
      `run_id, testname, item_path, uname, host, cpuload, diskfree, rundir, shortdir, state, status,
       attemptnum, final_logf, run_duration, comment, event_time, fail_count, pass_count, archived`,
    ),
    steps: insert("test_steps", "test_id, stepname, state, status, event_time, comment, logfile"),
    data: insert(
      "test_data",
      "test_id, category, variable, value, expected, tol, units, comment, status, type",
    ),
  };
}

function insertRun(writer: Writer, plan: Plan, random: Random, run: Run, runname: string): void {
  const target = plan.keys.map((_, index) => random.pick(keyValues[index] ?? ["none"]));
  const failed = random.below(4) === 0;
  const outcome = run.inFlight ? ["RUNNING", "n/a"] : ["COMPLETED", failed ? "FAIL" : "PASS"];
  const fails = failed ? 1 + random.below(3) : 0;
  writer.runs(
    ...target, run.id, runname, ...outcome, plan.user, run.startedAt,
    random.below(5) === 0 ? "rerun after disk swap" : "", fails, plan.testsPerRun - fails,
  ); // biome-ignore format: one row
  const directory = [plan.directory, "runs", ...target, runname].join("/");
  for (let index = 0; index < plan.testsPerRun; index++)
    insertTest(writer, plan, random, run, index, directory);
}

function insertTest(
  writer: Writer,
  plan: Plan,
  random: Random,
  run: Run,
  index: number,
  directory: string,
): void {
  const { testname, itemPath, toplevel } = testAt(index, plan.testsPerRun);
  const [state, status] = outcomeOf(run, index, plan.testsPerRun, random);
  const startedAt = run.startedAt + index;
  const duration = 5 + random.below(run.inFlight ? 30 : 900);
  const fresh = state === "NOT_STARTED";
  const testId = writer.tests(
    run.id, testname, itemPath, toplevel ? "n/a" : "Linux 5.10 x86_64", fresh ? "n/a" : `node${random.below(40)}`,
    fresh ? -1 : random.below(800) / 100, random.below(1_000_000), `${directory}/${testname}/${itemPath}`,
    `${testname}/${itemPath}`, state, status, random.below(10) === 0 ? 1 : 0, "logs/final.log",
    fresh ? 0 : duration, random.below(8) === 0 ? `seed ${random.below(1000)}` : "", startedAt,
    status === "FAIL" ? 1 : 0, status === "PASS" ? 1 : 0, run.archived ? 1 + random.below(3) : 0,
  ); // biome-ignore format: one row
  for (let step = 0; step < plan.stepsPerTest; step++) {
    const name = stepNames[Math.floor(step / 2) % stepNames.length] ?? "setup";
    // after all names had a start and an end, the other two states follow
    const stepState = stepStates[(step % 2) + 2 * Math.floor(step / (2 * stepNames.length))] ?? "start";
    const log = step % 2 === 1 ? `${name}.log` : "";
    writer.steps(testId, name, stepState, String(random.below(2)), startedAt + step, "", log);
  }
  for (let item = 0; item < plan.dataPerTest; item++) {
    const value = random.below(1_000_000) / 128;
    const judged = item % 3 !== 2;
    writer.data(
      testId, `group${Math.floor(item / variables.length)}`, variables[item % variables.length] ?? "area", value,
      judged ? value + 0.5 : null, judged ? 1.25 : null, item % 2 === 0 ? "um" : null, "", judged ? "pass" : "n/a", "",
    ); // biome-ignore format: one row
  }
}

/** In flight, the first half of the tests has ended and the last eighth has not begun. */
function outcomeOf(run: Run, index: number, tests: number, random: Random): readonly [string, string] {
  if (run.inFlight && index * 2 >= tests) {
    if (index * 8 >= tests * 7) return ["NOT_STARTED", "n/a"];
    return index % 5 === 4 ? ["LAUNCHED", "n/a"] : ["RUNNING", "n/a"];
  }
  const dice = random.below(100);
  if (dice < 90) return ["COMPLETED", "PASS"];
  if (dice < 97) return ["COMPLETED", "FAIL"];
  return dice < 98 ? ["KILLED", "KILLED"] : ["COMPLETED", "WARN"];
}

/** Every second group of ten is one itemized test: a toplevel row and its items; the others are plain tests. */
function testAt(index: number, tests: number): { testname: string; itemPath: string; toplevel: boolean } {
  const group = Math.floor(index / 10);
  const itemized = group % 2 === 0 && tests - group * 10 >= 3;
  const place = index % 10;
  if (!itemized) return { testname: `check_${index}`, itemPath: "", toplevel: false };
  const itemPath = place === 0 ? "" : `corner${place % 3}/lot${place}`;
  return { testname: `suite_${group}`, itemPath, toplevel: place === 0 };
}

function testNames(tests: number): string[] {
  return [...new Set(Array.from({ length: tests }, (_, index) => testAt(index, tests).testname))];
}

/** Runs are spread evenly, but those in flight began minutes ago: their tests are alive. */
function startOf(id: number, plan: Plan): number {
  const fromNewest = plan.runs - id;
  if (fromNewest < plan.inFlight) return plan.now - 90 - 600 * fromNewest;
  const span = plan.days * day;
  return Math.floor(plan.now - 3600 * plan.inFlight - 90 - (span * fromNewest) / plan.runs);
}

function weekOf(time: number): number {
  const date = new Date(time * 1000);
  const first = Date.UTC(date.getUTCFullYear(), 0, 1) / 1000;
  return 1 + Math.floor((time - first) / (7 * day));
}
