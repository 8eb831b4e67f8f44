import type { MovedRun, MoveResult, SkipReason } from "../../shared/contract/move-result.ts";
import { recordTables } from "../../shared/contract/names.ts";
import { verbOf } from "../../shared/job-verbs.ts";
import { bytesText, countText, plural } from "../../shared/text.ts";
import { elapsedText } from "../../shared/time/elapsed.ts";
import type { JobResult } from "../contract/job.ts";
import { isMigrateResult } from "../jobs/job-view.ts";
import { estimateText } from "./estimate.ts";
import { migrateText } from "./migrate-result.ts";
import { printable, textTable } from "./table.ts";

/** How many runs are named per reason for staying. */
const namedPerReason = 3;
/** How many moved runs are named. */
const namedRuns = 10;

const ofReduce: Record<SkipReason, string> = {
  "in-flight": "with a test that is or may be running",
  recent: "younger than --age",
  kept: "among the newest that --keep keeps in place",
  locked: "in state locked; --include-locked moves them",
  conflict:
    "a run with the same target and name is already in completed-runs.db, or it does not take their rows, as a warning says",
  changed: "changed while being moved; the next job moves them",
};

const meanings: Record<MoveResult["job"], Record<SkipReason, string>> = {
  reduce: ofReduce,
  repair: ofReduce,
  restore: {
    ...ofReduce,
    "in-flight": "half restored, with a test that is or may be running; a later job continues",
    locked: "in state locked; --include-locked restores them",
    conflict:
      "a run with the same target and name has been registered since; --on-conflict rename restores them under another name",
    changed:
      "changed while being restored, or the area does not take their rows, as a warning says; the next job tries again",
  },
  purge: {
    ...ofReduce,
    "in-flight": "with rows in megatest.db or a cache again; a later job purges them",
    kept: "among the newest that --keep keeps",
    locked: "in state locked; --include-locked purges them",
    changed: "changed while being exported; the next job purges them",
  },
  import: {
    ...ofReduce,
    conflict: "a run with the same target and name is in the area",
  },
};

export function resultText(result: MoveResult): string {
  const { dryRun, moved, job } = result;
  const place = `${printable(result.area)} on ${result.host} in ${elapsedText(result.elapsedMs)}`;
  const paragraphs = [
    `${result.jobId}: ${job === "repair" ? "searched for leftovers of dead jobs in" : didText(result)} ${place}`,
  ];
  if (moved.runs > 0)
    paragraphs.push(
      movedText(result),
      estimateText(result, bytesText),
      dryRun || !["reduce", "repair"].includes(job) ? runsText(result) : "",
    );
  paragraphs.push(skippedText(result), dryRun ? "" : bytesLines(result));
  if (result.timeUp !== undefined) {
    const { by, left } = result.timeUp;
    paragraphs.push(`time is up (${by}): ${plural(left, "run")} left for the next job`);
  }
  paragraphs.push(keptText(result));
  if (result.late > 0) paragraphs.push(`${plural(result.late, "late row")} merged into runs moved earlier`);
  paragraphs.push(leftoversText(result));
  for (const warning of result.warnings) paragraphs.push(`warning: ${printable(warning)}`);
  return paragraphs.filter((paragraph) => paragraph !== "").join("\n\n");
}

/** Values that the cache had replaced and not synced yet are counted apart: no two databases had changed them. */
function keptText({ superseded, unsynced = 0 }: MoveResult): string {
  return [
    ...(superseded > 0 ? [`${plural(superseded, "other version")} of rows kept in completed-runs.db`] : []),
    ...(unsynced > 0
      ? [`${plural(unsynced, "older value")} of unsynced rows kept in completed-runs.db`]
      : []),
  ].join("\n");
}

function movedText({ moved }: MoveResult): string {
  const rows = (["runs", ...recordTables] as const).map((table) => [table, countText(moved[table])]);
  return textTable(rows, { right: [1], indent: "  " });
}

/** Lists runs by name, those restored under another id or name first, so that their owners notice. */
function runsText({ job, runs, moved, dryRun }: MoveResult): string {
  const { did } = verbOf(job);
  const came = dryRun ? `would be ${did} as` : `${did} as`;
  const anew = ({ id, runname, previousId, previousRunname, exportFile }: MovedRun) => [
    ...(previousId === undefined ? [] : [`run ${previousId} ${came} ${id}`]),
    ...(previousRunname === undefined ? [] : [`${previousRunname} ${came} ${runname}`]),
    ...(exportFile === undefined || job !== "purge" ? [] : [printable(exportFile)]),
  ];
  const named = [...runs]
    .sort((a, b) => anew(b).length - anew(a).length)
    .slice(0, namedRuns)
    .map((run) => [`#${run.id}`, `${run.target}/${run.runname}`, ...anew(run)]);
  const rest = moved.runs - named.length;
  const more = rest > 0 ? `\n  … and ${countText(rest)} more` : "";
  return `runs:\n${textTable(named, { indent: "  " })}${more}`;
}

function didText({ job, dryRun, moved }: MoveResult): string {
  const { did, todo } = verbOf(job);
  return `${dryRun ? `would ${todo}` : did} ${plural(moved.runs, "run")} of`;
}

function leftoversText(result: MoveResult): string {
  const lines = leftovers(result).map(leftoverText);
  return result.job === "repair" && lines.length === 0
    ? "no run was half moved or half restored"
    : lines.join("\n");
}

function skippedText({ job, skipped, skippedCounts }: MoveResult): string {
  const reasons = Object.entries(skippedCounts) as [SkipReason, number][];
  const blocks = reasons
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => {
      const named = skipped.filter((run) => run.reason === reason).slice(0, namedPerReason);
      const lines = textTable(
        named.map((run) => [`#${run.id}`, `${run.target}/${run.runname}`]),
        { indent: "    " },
      );
      const more = count > named.length ? `\n    … and ${countText(count - named.length)} more` : "";
      return `  ${reason}: ${plural(count, "run")} (${meanings[job][reason]})\n${lines}${more}`;
    });
  return blocks.length === 0 ? "" : `stayed:\n${blocks.join("\n")}`;
}

function bytesLines({ bytes }: MoveResult): string {
  const rows = Object.entries(bytes).map(([file, { before, after }]) => [
    file,
    bytesText(before),
    "→",
    bytesText(after),
  ]);
  return rows.length === 0 ? "" : textTable(rows, { right: [1, 3], indent: "  " });
}

export function jobResultText(result: JobResult): string {
  return isMigrateResult(result) ? migrateText(result) : resultText(result);
}

/** Runs that an interrupted job left half done, and how a later job resolved them. */
export interface Leftover {
  job: Exclude<MoveResult["job"], "repair">;
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
    { job: "purge", end: "finished", runs: finished?.purge?.runs ?? 0 },
    { job: "import", end: "finished", runs: finished?.import?.runs ?? 0 },
    { job: "reduce", end: "undone", runs: undone?.reduce ?? 0 },
    { job: "restore", end: "undone", runs: undone?.restore ?? 0 },
    { job: "import", end: "undone", runs: undone?.import ?? 0 },
  ];
  return all.filter(({ runs }) => runs > 0);
}

/** `undid an interrupted reduce: removed the copies of 2 runs` */
export function leftoverText({ job, end, runs }: Leftover): string {
  const count = plural(runs, "run");
  if (end === "finished") return `finished an interrupted ${job}: ${verbOf(job).did} ${count}`;
  return job === "restore"
    ? `undid an interrupted restore: moved ${count} back to completed-runs.db`
    : `undid an interrupted ${job}: removed the copies of ${count}`;
}
