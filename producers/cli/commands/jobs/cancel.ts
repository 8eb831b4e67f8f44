import { requester } from "../../../jobs/check-move.ts";
import { cancelJob } from "../../../jobs/find-job.ts";
import { withSession } from "../../../jobs/session.ts";
import { type AddCommand, addHelp, addSharedOptions } from "../../command.ts";
import { addJobHost } from "../../options/job-host.ts";

export const addCancel: AddCommand = (program, bind) => {
  const command = program
    .command("cancel")
    .summary("cancel a job")
    .description(
      "Cancel a job. A waiting job is removed from its queue. A running job stops at its next batch. What a job has moved stays moved, and the same job started again continues from there. A migration is undone unless .homehost has already been replaced.",
    )
    .argument("<id>", "the job's id");
  const hostOf = addJobHost(command);
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs cancel reduce-0123456789abcdef", "cancel that job"],
      ["mtjobs jobs --state waiting,active", "list the jobs that can be cancelled"],
    ],
    exits: { 2: "no such job", 4: "Redis is unreachable" },
  });
  bind(command, async ({ settings, args }) => {
    const at = hostOf();
    const jobId = args[0] as string;
    const cancelled = await withSession(settings, (session) =>
      cancelJob(session, jobId, { host: at, requestedBy: requester(settings) }),
    );
    const { host, outcome } = cancelled;
    const text = {
      removed: `${jobId}: removed from the queue of ${host}; it had not started`,
      ended: `${jobId}: removed from the queue of ${host}, where it waited to go on; what it has moved stays moved`,
      requested: `${jobId}: asked to stop on ${host}; it stops at its next batch`,
      finished: `${jobId}: already finished on ${host}`,
    }[outcome];
    const changed = outcome === "finished" ? {} : ({ changed: true } as const);
    return { document: { jobId, host, outcome }, text, ...changed };
  });
};
