import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

/** What commands found, by the file below docs/figures that keeps it; `npm run figures` writes docs/ from it. */
export interface Recorded {
  /** A figure of `npm run bench`: one value for each round. */
  bench: { figure: string; aim: string; values: number[] };
  /** Milliseconds that the same runs take to move out of an area of so many. */
  growth: { runs: number; mtjobs: number; script: number };
  /** Time of a query in full-db mode, and (for joins) by the views alone, over that in one undivided database. */
  queries: { query: string; rows: number; ratio: number; views?: number };
  /** How long after a fault's end an area was at rest. */
  recovery: { fault: string; step: string; restMs: number };
  /** What befell the areas of one seed, and how often. */
  torture: {
    seed: number;
    minutes: number;
    rounds: number;
    violations: number;
    counts: Record<string, number>;
  };
}

/** A row is replaced by one that is equal in these. */
const keys = {
  bench: ["figure"],
  growth: ["runs"],
  queries: ["query"],
  recovery: ["fault", "step"],
  torture: ["seed", "minutes"],
} as const satisfies { [Name in keyof Recorded]: readonly (keyof Recorded[Name])[] };

/** With the day it was found, YYYY-MM-DD, and on what. */
export type Dated<Row> = Row & { date: string; machine: string };

const directory = join(process.cwd(), "docs", "figures");

function fileOf(name: keyof Recorded): string {
  return join(directory, `${name}.json`);
}

export function readRecorded<Name extends keyof Recorded>(name: Name): Dated<Recorded[Name]>[] {
  const file = fileOf(name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Dated<Recorded[Name]>[]) : [];
}

/** Keeps a row for docs/, where the command was run with MTJOBS_RECORD=yes. */
export function record<Name extends keyof Recorded>(name: Name, row: Recorded[Name]): void {
  if (process.env.MTJOBS_RECORD !== "yes") return;
  const keyOf = (one: object) => JSON.stringify(keys[name].map((key) => one[key as keyof typeof one]));
  const machine = `${cpus().length} cores, Node ${process.versions.node}`;
  const dated = { ...row, date: new Date().toISOString().slice(0, 10), machine };
  const rows = readRecorded(name);
  const at = rows.findIndex((other) => keyOf(other) === keyOf(row));
  rows.splice(at === -1 ? rows.length : at, at === -1 ? 0 : 1, dated);
  mkdirSync(directory, { recursive: true });
  // A line for each: what a later run changes can be seen.
  writeFileSync(fileOf(name), `[\n${rows.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
}
