import type { MigrateResult } from "../../../../shared/contract/migrate-result.ts";
import { verbOf } from "../../../../shared/job-verbs.ts";
import { agoText, plural } from "../../../../shared/text.ts";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import { areaPath } from "../../../areas/area-path.ts";
import type { JobView } from "../../../contract/job.ts";
import { placeText } from "../../../format/migrate-result.ts";
import { progressText } from "../../../format/progress.ts";
import { printable, textTable } from "../../../format/table.ts";
import { isMigrateResult } from "../../../jobs/job-view.ts";
import { type JobFilter, listJobs, parseStates } from "../../../jobs/list-jobs.ts";
import { withSession } from "../../../jobs/session.ts";
import { type AddCommand, addHelp, addSharedOptions } from "../../command.ts";
import { wholeNumber } from "../../options/option-values.ts";

export const addJobs: AddCommand = (program, bind) => {
  const command = program
    .command("jobs")
    .summary("list jobs")
    .description("List the jobs of all hosts, newest first: waiting, running and recently finished.")
    .option("--host <name>", "only this host's queue")
    .option(
      "--state <list>",
      "only these states: waiting, active, delayed, completed, failed, cancelled, forwarded",
    )
    .option("--area <path>", "only jobs on this area, by the path with which they were requested")
    .option("--job <kind>", "only this kind: reduce, restore, migrate, migrate-step")
    .option("--by <text>", "only jobs whose requester's name contains this text")
    .option(
      "--limit <n>",
      "only the newest N (default: 500 of each state and host)",
      wholeNumber("--limit", 1),
    )
    .option("--all", "also the internal steps that the workers of a migration request of each other");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs jobs", "all jobs"],
      ["mtjobs jobs --state waiting,active", "pending and running jobs"],
      ["mtjobs jobs --area . --limit 10", "the last ten jobs on the area in the working directory"],
      ["mtjobs jobs --job migrate --by ann", "the migrations that ann requested"],
      ["mtjobs jobs --host hostA --state failed --json", "for programs"],
    ],
    exits: { 4: "Redis is unreachable" },
  });
  bind(command, async ({ settings, options, io }) => {
    const { state } = options;
    const filter: JobFilter = {
      // Only the command's own --host: the host name in the environment does not select a queue.
      host: command.opts().host as string | undefined,
      states: typeof state === "string" ? parseStates(state) : undefined,
      area: typeof options.area === "string" ? areaPath(io.cwd, options.area) : undefined,
      job: options.job as string | undefined,
      by: options.by as string | undefined,
      all: options.all === true,
      limit: options.limit as number | undefined,
    };
    const jobs = await withSession(settings, (session) => listJobs(session, filter));
    return { document: { jobs }, text: jobs.length === 0 ? noJobs(filter) : jobsText(jobs) };
  });
};

const noJobs = ({ area }: JobFilter) => `no jobs${area === undefined ? "" : ` on ${printable(area)}`}`;

function jobsText(jobs: readonly JobView[]): string {
  const rows = jobs.map((job) => [
    job.jobId,
    job.host,
    job.state,
    job.area ?? "-",
    agoText(job.addedAt),
    tookText(job),
    remarkText(job),
  ]);
  return textTable(rows, { head: ["JOB", "HOST", "STATE", "AREA", "ADDED", "TOOK", ""] });
}

function tookText({ startedAt, finishedAt }: JobView): string {
  if (startedAt === null || finishedAt === null) return "-";
  return elapsedText(Date.parse(finishedAt) - Date.parse(startedAt));
}

function remarkText(job: JobView): string {
  if (job.error !== undefined) return `${job.error.code}: ${job.error.message}`;
  if (job.forwarded !== undefined) return `forwarded to ${job.forwarded.host} as ${job.forwarded.jobId}`;
  // A migration delays itself while it waits for the other host.
  const atWork = job.state === "active" || (job.job === "migrate" && job.state === "delayed");
  if (atWork && job.progress !== null) return progressText(job.progress);
  if (isMigrateResult(job.result)) return migratedText(job.result);
  const moved = job.result?.moved?.runs;
  if (moved === undefined) return "";
  const { did, todo } = verbOf(job.job);
  return `${plural(moved, "run")} ${job.result?.dryRun === true ? `to ${todo}` : did}`;
}

function migratedText({ outcome, from, fromHost, to, toHost, dryRun }: MigrateResult): string {
  if (outcome === "already-home") return `already at home on ${toHost}`;
  return `${dryRun ? "could move" : "moved"} from ${placeText(fromHost, from)} to ${placeText(toHost, to)}`;
}
