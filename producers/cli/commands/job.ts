import { JobsError } from "../../../shared/errors.ts";
import { agoText } from "../../../shared/text.ts";
import type { JobReport } from "../../contract/job.ts";
import { jobResultText } from "../../format/move-result.ts";
import { progressText } from "../../format/progress.ts";
import { printable, textTable } from "../../format/table.ts";
import { reportJob } from "../../jobs/find-job.ts";
import { failedMigration, isMigrateResult } from "../../jobs/job-view.ts";
import { withSession } from "../../jobs/session.ts";
import { type AddCommand, addHelp, addSharedOptions } from "../command.ts";

export const addJob: AddCommand = (program, bind) => {
  const command = program
    .command("job")
    .summary("show one job: its state, progress, log and result")
    .description("Show one job: its state, progress, log and result.")
    .argument("<id>", "the job's id, as printed when it was enqueued");
  command.option(
    "--host <name>",
    "search only this host's queue; needed for a job that was added without an id",
  );
  addSharedOptions(command);
  addHelp(command, {
    notes: ["The exit code is that of this command, not of the job; the job's state is in the output."],
    examples: [
      ["mtjobs job reduce-0123456789abcdef", "everything about that job"],
      ["mtjobs job reduce-0123456789abcdef --json", "the same for programs"],
    ],
    exits: { 2: "no such job", 4: "Redis is unreachable" },
  });
  bind(command, async ({ settings, args }) => {
    // Only the command's own --host, as in `jobs`.
    const host = command.opts().host as string | undefined;
    const report = await withSession(settings, (session) => reportJob(session, args[0] as string, host));
    return { document: report, text: jobText(report) };
  });
};

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
  const result =
    job.error === undefined ? job.result : failedMigration(JobsError.fromDocument(job.error))?.result;
  // Other tools may have stored something else as the result.
  if (isMigrateResult(result) || result?.moved !== undefined) paragraphs.push(jobResultText(result));
  return paragraphs.join("\n\n");
}
