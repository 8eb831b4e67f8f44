import { join } from "node:path";
import { performance } from "node:perf_hooks";
import Database from "better-sqlite3";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { FullDb } from "../../producers/full-db/full-db.ts";
import { forgetRecorded, record } from "../support/area/recorded.ts";
import { benchArea, copyArea, days } from "./areas.ts";
import { runReduce } from "./mtjobs-reduce.ts";
import { type BenchQuery, joinQueries, megatestQueries, type Subject } from "./query-list.ts";
import { benchOptions, median, say, tell } from "./report.ts";

/** Each side of a comparison is run for about this long in a round, ms. */
const share = 60;

/** Queries on an area of which nine tenths were moved, beside the same rows in one database. */
export async function compareQueries(directory: string, runs: number, rounds: number): Promise<void> {
  const undivided = benchArea(join(directory, "undivided"), runs);
  const area = copyArea(undivided, join(directory, "divided"));
  const { result } = await runReduce(area, ["--age", `${days * 0.1}d`]);
  say(`${result.moved.runs} of ${runs} runs moved; ${rounds} rounds of ${share} ms for each side of a query`);
  forgetRecorded("queries");
  const whole = new Database(undivided.cacheDb, { readonly: true });
  const full = new FullDb(filesOf(area));
  const views = new FullDb(filesOf(area), { rewrite: false });
  const subject = subjectOf(whole, runs);
  try {
    say("\nMegatest's kinds of query, full-db / undivided:");
    const ratios = megatestQueries(subject).map((query) => compare(query, whole, full, rounds));
    tell("query-median", [median(ratios)]);
    tell("query-largest", [Math.max(...ratios)]);
    say("\njoins, full-db / undivided (views alone / undivided, once):");
    const joins = joinQueries(subject).map((query) => compare(query, whole, full, rounds, views));
    tell("join-largest", [Math.max(...joins)]);
  } finally {
    for (const db of [whole, full, views]) db.close();
  }
}

function subjectOf(whole: Database.Database, runs: number): Subject {
  const run = Math.round(runs / 2);
  const first = <T>(sql: string) => whole.prepare<[number], T>(sql).pluck().get(run);
  return {
    run,
    kept: runs - 1,
    test: first<number>("SELECT id FROM tests WHERE run_id = ? LIMIT 1") ?? 1,
    week: first<string>("SELECT substr(runname, 1, instr(runname, '.') - 1) FROM runs WHERE id = ?") ?? "w",
  };
}

function filesOf({ cacheDb, megatestDb, directory }: SampleArea) {
  const completedDb = join(directory, "completed-runs.db");
  return { main: cacheDb, source: "cache" as const, megatestDb, completedDb };
}

/** Runs both in turn, and returns the ratio of their fastest rounds: what else the machine does only makes rounds slower. */
function compare(
  query: BenchQuery,
  whole: Database.Database,
  full: FullDb,
  rounds: number,
  views?: FullDb,
): number {
  const { sql, parameters = [] } = query;
  const one = whole.prepare(sql);
  const two = full.prepare(sql);
  const [a, b] = [one.all(...parameters), two.all(...parameters)];
  if (sorted(a) !== sorted(b))
    throw new Error(`${query.name}: ${a.length} rows undivided, ${b.length} in full-db mode, not the same`);
  const first = timed(() => one.all(...parameters));
  const times = Math.max(1, Math.round(share / first));
  const repeat = (work: () => unknown) =>
    timed(() => {
      for (let n = 0; n < times; n++) work();
    }) / times;
  const pairs = Array.from({ length: rounds }, () => {
    const undivided = repeat(() => one.all(...parameters));
    return { undivided, divided: repeat(() => two.all(...parameters)) };
  });
  const base = Math.min(...pairs.map(({ undivided }) => undivided));
  const ratio = Math.min(...pairs.map(({ divided }) => divided)) / base;
  const byViews = views === undefined ? undefined : viewTime(views, query) / base;
  const other = byViews === undefined ? "" : ` (${byViews.toFixed(1)})`;
  say(
    `  ${ratio.toFixed(2).padStart(6)}${other.padStart(11)}  ${query.name}: ${a.length} rows, ${base.toFixed(3)} ms undivided`,
  );
  record("queries", {
    query: query.name,
    options: benchOptions,
    rows: a.length,
    ratio: Number(ratio.toFixed(3)),
    ...(byViews === undefined ? {} : { views: Number(byViews.toPrecision(2)) }),
  });
  return ratio;
}

function viewTime(views: FullDb, { sql, parameters = [] }: BenchQuery): number {
  const query = views.prepare(sql);
  return timed(() => query.all(...parameters));
}

function timed(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

function sorted(rows: unknown[]): string {
  return JSON.stringify(rows.map((row) => JSON.stringify(row)).sort());
}
