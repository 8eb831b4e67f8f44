import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { BenchFigure } from "../bench/figure-list.ts";

/** What commands found, by the file below docs/figures that keeps it; `npm run figures` writes docs/ from it. */
export interface Recorded {
  /** One value for each round, or one that is the whole figure. */
  bench: { figure: BenchFigure; options: string; values: number[] };
  /** Milliseconds that the same runs take to move out of an area of so many. */
  growth: { runs: number; options: string; mtjobs: number; script: number };
  /** Time of a query in full-db mode, and (for joins) by the views alone, over that in one undivided database. */
  queries: { query: string; options: string; rows: number; ratio: number; views?: number };
  /** Seconds that an area of the largest size takes. */
  limits: { size: string; rows: number; outS: number; backS: number };
  /** How long after a fault's end an area was at rest; null where it was not within a minute, or not as it should be. */
  recovery: { fault: string; step: string; restMs: number | null };
  /** What befell the areas of one seed, and how often. */
  torture: {
    seed: number;
    minutes: number;
    rounds: number;
    violations: number;
    counts: Record<string, number>;
  };
  /** In how many states of their disks machines lost power while one thing was done, and in how many a row was lost by it. */
  powercut: {
    scenario: string;
    seed: number;
    minutes: number;
    recordings: number;
    tried: number;
    losses: number;
  };
}

/** A row takes the place of one that is equal in these; where there are none each is added. */
const keys = {
  bench: ["figure"],
  growth: ["runs"],
  queries: ["query"],
  limits: ["size"],
  recovery: ["fault", "step"],
  torture: [],
  powercut: ["scenario"],
} as const satisfies { [Name in keyof Recorded]: readonly (keyof Recorded[Name])[] };

/** With the day it was found, YYYY-MM-DD, and on what. */
export type Dated<Row> = Row & { date: string; machine: string };

const directory = join(process.cwd(), "docs", "figures");

function fileOf(name: keyof Recorded): string {
  return join(directory, `${name}.json`);
}

/** All rows that are kept, in the order in which they came; [] where there is no file. */
export function readRecorded<Name extends keyof Recorded>(name: Name): Dated<Recorded[Name]>[] {
  const file = fileOf(name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Dated<Recorded[Name]>[]) : [];
}

/** Somebody wants what a command finds to be kept. */
const isRecorded = wantsRecord(process.env.MTJOBS_RECORD);

function wantsRecord(value: string | undefined): boolean {
  if (value === undefined || value === "" || value === "yes") return value === "yes";
  throw new RangeError(`MTJOBS_RECORD=${value}: write yes, or leave it out`);
}

/** Before rows that make sense only together are recorded anew. */
export function forgetRecorded(name: keyof Recorded): void {
  if (isRecorded) rmSync(fileOf(name), { force: true });
}

/** Keeps a row for docs/, where the command was run with MTJOBS_RECORD=yes. */
export function record<Name extends keyof Recorded>(name: Name, row: Recorded[Name]): void {
  if (!isRecorded) return;
  const machine = `${cpus().length} cores, Node ${process.versions.node}`;
  const dated = { ...row, date: new Date().toISOString().slice(0, 10), machine };
  const rows = readRecorded(name);
  const names: readonly string[] = keys[name];
  const keyOf = (one: object) => JSON.stringify(names.map((key) => one[key as keyof typeof one]));
  const at = names.length === 0 ? -1 : rows.findIndex((other) => keyOf(other) === keyOf(row));
  rows.splice(at === -1 ? rows.length : at, at === -1 ? 0 : 1, dated);
  mkdirSync(directory, { recursive: true });
  // A line for each: what a later run changes can be seen.
  writeFileSync(fileOf(name), `[\n${rows.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
}
