import type Database from "better-sqlite3";
import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";
import { writerOf } from "./record-writer.ts";
import { insertTest, type Maker, testNames } from "./sample-tests.ts";

// The synced rows of megatest.db and the ref: `last_update` is the time of the sync.

const day = 86_400;
const keyValues: readonly (readonly [string, ...string[]])[] = [
  ["ubuntu", "debian", "rhel"],
  ["nfs", "lustre"],
  ["none", "nightly"],
];

/** Inserts all rows in one transaction. Every test has all its steps and data. */
export function insertRecords(db: Database.Database, plan: Plan, random: Random): void {
  db.transaction(() => {
    insertAreaRows(db, plan);
    const maker = { plan, random, writer: writerOf(db, plan) };
    const runsOfWeek = new Map<number, number>();
    for (let id = 1; id <= plan.runs; id++) {
      const startedAt = startOf(id, plan);
      const week = weekOf(startedAt);
      const number = (runsOfWeek.get(week) ?? 0) + 1;
      runsOfWeek.set(week, number);
      insertRun(maker, id, startedAt, `w${String(week).padStart(2, "0")}.${number}`);
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

function insertRun(maker: Maker, id: number, startedAt: number, runname: string): void {
  const { plan, random, writer } = maker;
  const target = plan.keys.map((_, index) => random.pick(keyValues[index] ?? ["none"]));
  const inFlight = id > plan.runs - plan.inFlight;
  const failed = random.below(4) === 0;
  // Megatest leaves a run so until it is set explicitly.
  const outcome = ["new", "n/a"];
  const fails = failed ? Math.min(1 + random.below(3), plan.testsPerRun) : 0;
  const comment = random.below(5) === 0 ? "rerun after disk swap" : "";
  // biome-ignore format: one row
  writer.runs(
    ...target, id, runname, ...outcome, plan.user, startedAt, comment, fails, plan.testsPerRun - fails,
  );
  const directory = [plan.directory, "runs", ...target, runname].join("/");
  const run = { id, startedAt, inFlight, archived: id * 10 <= plan.runs, directory };
  for (let index = 0; index < plan.testsPerRun; index++) insertTest(maker, run, index);
}

/** Spreads runs evenly, except that those in flight began minutes ago. */
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
