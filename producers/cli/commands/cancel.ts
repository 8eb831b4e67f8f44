import { cancelJob } from "../../cancel-job.ts";
import { withSession } from "../../session.ts";
import { type AddCommand, addSharedOptions, teach } from "../command.ts";

/** `mtjobs cancel ID` */
export const addCancel: AddCommand = (program, bind) => {
  const command = program
    .command("cancel")
    .summary("end a job")
    .description(
      "End a job. One that waits is taken from its queue; a running one stops at its next batch: what it moved stays moved, and the same job run again goes on from there. A migration is undone, unless .homehost has been replaced by then.",
    )
    .argument("<id>", "the job's id");
  command.option(
    "--host <name>",
    "in this host's queue; for the number of a job that was added without an id",
  );
  addSharedOptions(command);
  teach(command, {
    examples: [
      ["mtjobs cancel reduce-0123456789abcdef", "end that job"],
      ["mtjobs jobs --state waiting,active", "which jobs could be cancelled"],
    ],
    exits: { 2: "there is no such job", 4: "Redis is out of reach" },
  });
  bind(command, async ({ settings, args }) => {
    // The command's own --host only, as in `jobs`.
    const at = command.opts().host as string | undefined;
    const jobId = args[0] as string;
    const cancelled = await withSession(settings, (session) => cancelJob(session, jobId, at));
    const { host, outcome } = cancelled;
    const text = {
      removed: `${jobId}: taken from the queue of ${host}; it had not begun`,
      requested: `${jobId}: asked to stop on ${host}; it ends at its next batch`,
      finished: `${jobId}: had finished already on ${host}`,
    }[outcome];
    const changed = outcome === "finished" ? {} : ({ changed: true } as const);
    return { document: { jobId, host, outcome }, text, ...changed };
  });
};
