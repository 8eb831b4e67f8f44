import { requester } from "../../../jobs/check-move.ts";
import { retryJob } from "../../../jobs/retry-job.ts";
import { withSession } from "../../../jobs/session.ts";
import { type AddCommand, addHelp, addSharedOptions } from "../../command.ts";
import { addJobHost } from "../../options/job-host.ts";
import { enqueuedText } from "../../run-queued.ts";

export const addRetry: AddCommand = (program, bind) => {
  const command = program
    .command("retry")
    .summary("request the work of a failed job again")
    .description(
      "Request the work of a failed job again, as a new job with the same data in the same queue. The failed job stays as it is. It is retried once: a second request returns the same new job.",
    )
    .argument("<id>", "the failed job's id");
  const hostOf = addJobHost(command);
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs jobs --state failed", "list the jobs that can be retried"],
      ["mtjobs retry reduce-0123456789abcdef", "request that job's work again"],
    ],
    exits: {
      1: "Redis is configured wrongly",
      2: "no such job, or it has not failed, or it cannot be retried",
      4: "Redis is unreachable",
    },
  });
  bind(command, async ({ settings, args }) => {
    const host = hostOf();
    const jobId = args[0] as string;
    const retried = await withSession(settings, (session) =>
      retryJob(session, jobId, { host, requestedBy: requester(settings) }),
    );
    const text = enqueuedText(retried);
    return { document: retried, text, ...(retried.duplicate ? {} : { changed: true as const }) };
  });
};
