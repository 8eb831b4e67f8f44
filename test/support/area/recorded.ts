import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { BenchFigure } from "../../bench/figure-list.ts";
import { variable } from "../environment.ts";

/** Recorded results of commands, by file in docs/figures; `npm run figures` writes docs/ from them. */
export interface Recorded {
  /** One value per round, or a single one. */
  bench: { figure: BenchFigure; options: string; values: number[] };
  /** Shares of a reduce's time, %: a thread has the processor, wants it (or a disk, or a lock), or waits for others. */
  profile: {
    thread: string;
    options: string;
    running: number;
    queueing: number;
    waiting: number;
    statements: string;
  };
  /** Milliseconds to move the same runs out of an area with this many. */
  growth: { runs: number; options: string; mtjobs: number; script: number };
  /** Time of a query in full-db mode, and (for joins) by the views only, relative to one undivided database. */
  queries: { query: string; options: string; rows: number; ratio: number; views?: number };
  /** Seconds for an area of the largest size. */
  limits: { size: string; rows: number; outS: number; backS: number };
  /** Time from a fault's end until the area was at rest; null if it took over a minute, or the area was wrong. */
  recovery: { fault: string; step: string; restMs: number | null };
  /** Events of one seed, and how often they occurred. */
  torture: {
    seed: number;
    minutes: number;
    rounds: number;
    violations: number;
    counts: Record<string, number>;
  };
  /** Number of disk states after a simulated power failure in a scenario, and of those that lost a row. */
  powercut: {
    scenario: string;
    seed: number;
    minutes: number;
    recordings: number;
    tried: number;
    losses: number;
  };
  /** Stories of seeds from this one on, and how the jobs in them ended. */
  stories: {
    seed: number;
    minutes: number;
    stories: number;
    jobs: Record<string, number>;
    violations: number;
  };
  /** Jobs on virtual machines with NFS: rounds with one fault each, how many jobs were requested again, and seconds until the end. */
  machines: {
    mount: string;
    fault: string;
    rounds: number;
    again: number;
    longestS: number;
    violations: number;
  };
}

/** A row replaces one that is equal in these members; without any, each row is added. */
const keys = {
  bench: ["figure"],
  profile: ["thread"],
  growth: ["runs"],
  queries: ["query"],
  limits: ["size"],
  recovery: ["fault", "step"],
  torture: [],
  powercut: ["scenario"],
  stories: [],
  machines: ["mount", "fault"],
} as const satisfies { [Name in keyof Recorded]: readonly (keyof Recorded[Name])[] };

/** With the date, YYYY-MM-DD, and the machine. */
export type Dated<Row> = Row & { date: string; machine: string };

const directory = join(process.cwd(), "docs", "figures");

function fileOf(name: keyof Recorded): string {
  return join(directory, `${name}.json`);
}

/** Returns all recorded rows in order; [] if there is no file. */
export function readRecorded<Name extends keyof Recorded>(name: Name): Dated<Recorded[Name]>[] {
  const file = fileOf(name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Dated<Recorded[Name]>[]) : [];
}

/** True if results are to be recorded. */
const isRecorded = wantsRecord(variable("MTJOBS_RECORD"));

function wantsRecord(value: string): boolean {
  if (value === "" || value === "yes") return value === "yes";
  throw new RangeError(`MTJOBS_RECORD=${value}: use yes, or unset it`);
}

/** Deletes rows that are only valid together, before they are recorded again. */
export function forgetRecorded(name: keyof Recorded): void {
  if (isRecorded) rmSync(fileOf(name), { force: true });
}

/** Records a row for docs/ if the command was run with MTJOBS_RECORD=yes. */
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
  // One row per line, for readable diffs.
  writeFileSync(fileOf(name), `[\n${rows.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
}
