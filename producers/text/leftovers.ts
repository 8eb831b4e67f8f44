import { verbOf } from "../../shared/job-verbs.ts";
import { plural } from "../../shared/plural.ts";
import type { MoveResult } from "../../shared/result.ts";

/** Runs that an interrupted job left half done, and how a later job resolved them. */
export interface Leftover {
  job: "reduce" | "restore";
  end: "finished" | "undone";
  runs: number;
}

/**
 * Returns what a job first did about interrupted ones. Everything that a repair moves was half moved by a reduce.
 */
export function leftovers(result: Pick<MoveResult, "job" | "moved" | "finished" | "undone">): Leftover[] {
  const { job, moved, finished, undone } = result;
  const ofReduce = job === "repair" ? moved : finished?.reduce;
  const all: Leftover[] = [
    { job: "reduce", end: "finished", runs: ofReduce?.runs ?? 0 },
    { job: "restore", end: "finished", runs: finished?.restore?.runs ?? 0 },
    { job: "reduce", end: "undone", runs: undone?.reduce ?? 0 },
    { job: "restore", end: "undone", runs: undone?.restore ?? 0 },
  ];
  return all.filter(({ runs }) => runs > 0);
}

/** `undid an interrupted reduce: removed the copies of 2 runs` */
export function leftoverText({ job, end, runs }: Leftover): string {
  const count = plural(runs, "run");
  if (end === "finished") return `finished an interrupted ${job}: ${verbOf(job).did} ${count}`;
  return job === "reduce"
    ? `undid an interrupted reduce: removed the copies of ${count}`
    : `undid an interrupted restore: moved ${count} back to completed-runs.db`;
}
