import type { MovePayload } from "../../../../shared/contract/payload.ts";
import { ExitCode } from "../../../../shared/error-codes.ts";
import { JobsError } from "../../../../shared/errors.ts";
import { agoText } from "../../../../shared/text.ts";
import type { JobReport, JobResult } from "../../../contract/job.ts";
import { reportedResultText } from "../../../format/job.ts";
import { progressText } from "../../../format/progress.ts";
import { printable, textTable } from "../../../format/table.ts";
import { type FoundJob, findJob, reportJob } from "../../../jobs/find-job.ts";
import { followJob } from "../../../jobs/follow.ts";
import { isMigrateResult } from "../../../jobs/job-view.ts";
import { type Session, withSession } from "../../../jobs/session.ts";
import { type AddCommand, addHelp, addSharedOptions, type CommandContext } from "../../command.ts";
import { exitOf } from "../../exit-code.ts";
import { addJobHost } from "../../options/job-host.ts";
import { duration } from "../../options/option-values.ts";
import type { Outcome } from "../../outcome.ts";
import { progressDisplay } from "../../progress-bar.ts";
import { phaseNotes } from "../../run-queued.ts";

export const addJob: AddCommand = (program, bind) => {
  const command = program
    .command("job")
    .summary("show one job: its state, progress, log and result")
    .description("Show one job: its state, progress, log and result.")
    .argument("<id>", "the job's id, as printed when it was enqueued")
    .option("--follow", "print its log until it ends, then the rest; end with the job's exit code")
    .option(
      "--timeout <duration>",
      "with --follow: stop after this long; the job continues",
      duration("--timeout"),
    );
  const hostOf = addJobHost(command);
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "Without --follow the exit code is that of this command, not of the job; the job's state is in the output.",
    ],
    examples: [
      ["mtjobs job reduce-0123456789abcdef", "everything about that job"],
      ["mtjobs job reduce-0123456789abcdef --json", "the same for programs"],
      ["mtjobs job reduce-0123456789abcdef --follow", "watch it until it ends"],
    ],
    exits: {
      1: "with --follow: the job failed",
      2: "no such job",
      3: "with --follow: the job was refused by a safety rule, or all its runs given by id stay",
      4: "Redis is unreachable, or with --follow no worker serves the host",
      5: "--timeout passed; the job continues",
      130: "interrupted while following; the job continues",
    },
  });
  bind(command, async (context) => {
    const { settings, args, options } = context;
    const jobId = args[0] as string;
    const host = hostOf();
    if (options.timeout !== undefined && options.follow !== true) {
      throw new JobsError("usage", "--timeout requires --follow", {
        hint: "add --follow, or remove --timeout",
      });
    }
    return await withSession(settings, async (session) => {
      if (options.follow === true) return await follow(context, session, await findJob(session, jobId, host));
      const report = await reportJob(session, jobId, host);
      return { document: report, text: jobText(report) };
    });
  });
};

/** Prints the log while the job is unfinished, then its report with its own exit code. */
async function follow(
  { io, json, options }: CommandContext,
  session: Session,
  { host, job }: FoundJob,
): Promise<Outcome> {
  const display = await progressDisplay(io, json);
  try {
    const place = { host, jobId: String(job.id) };
    const { result, error, ...end } = await followJob(session, place, {
      signal: io.interrupt,
      timeoutMs: options.timeout as number | undefined,
      onProgress: job.name === "migrate" ? phaseNotes(display) : display.progress,
      onLog: (sentence) => display.note(printable(sentence)),
      onNote: display.note,
    });
    display.end();
    const report = await reportJob(session, end.jobId, end.host);
    const exit = error?.exitCode ?? exitOfResult(result, report.data);
    return { document: report, text: jobText({ ...report, log: [] }), exit };
  } finally {
    display.end();
  }
}

/** Returns the exit code of a result; another tool's may have any form. */
function exitOfResult(result: JobResult | undefined, data: unknown): number {
  if (isMigrateResult(result) || result?.skippedCounts === undefined) return ExitCode.done;
  return exitOf(result, data as MovePayload);
}

function jobText(job: JobReport): string {
  const facts: [string, string][] = [
    ["job", job.jobId],
    ["state", job.state],
    ["host", job.host],
    ["area", job.area ?? "-"],
    ["requested by", job.requestedBy ?? "-"],
    ["added", `${job.addedAt} (${agoText(job.addedAt)})`],
    ["started", job.startedAt ?? "-"],
    ["finished", job.finishedAt ?? "-"],
    ["attempts", String(job.attempts)],
    ["worker", job.worker ?? "-"],
  ];
  if (job.progress !== null && job.finishedAt === null) facts.push(["progress", progressText(job.progress)]);
  if (job.forwarded !== undefined) {
    facts.push([
      "forwarded",
      `to ${job.forwarded.host} as ${job.forwarded.jobId} (mtjobs job ${job.forwarded.jobId})`,
    ]);
  }
  if (job.error !== undefined) facts.push(["error", `${job.error.code}: ${job.error.message}`]);
  if (job.error?.hint !== undefined) facts.push(["hint", job.error.hint]);
  const paragraphs = [textTable(facts)];
  if (job.log.length > 0)
    paragraphs.push(`log:\n${job.log.map((line) => `  ${printable(line)}`).join("\n")}`);
  const result = reportedResultText(job);
  if (result !== undefined) paragraphs.push(result);
  return paragraphs.join("\n\n");
}
