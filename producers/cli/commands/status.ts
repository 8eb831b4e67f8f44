import { toJobsError } from "../../../shared/errors.ts";
import { automaticStatus } from "../../automatic-status.ts";
import { isUnfinished } from "../../job-view.ts";
import { listJobs } from "../../list-jobs.ts";
import { withSession } from "../../session.ts";
import { areaStatusText, farmStatusText } from "../../text/status-text.ts";
import { type AddCommand, addSharedOptions, type CommandContext, teach } from "../command.ts";
import type { Outcome } from "../outcome.ts";

/** `mtjobs status [AREA]` */
export const addStatus: AddCommand = (program, bind) => {
  const command = program
    .command("status")
    .summary("an area's sizes, runs, homehost, locks and last jobs; without AREA: hosts, queues and workers")
    .description(
      "With AREA: its sizes, runs, homehost, locks, Megatest's servers and last jobs; it is only read. Without: all hosts with their queues and workers.",
    )
    .argument("[area]", "the area's path (here the working directory must be named: .)");
  addSharedOptions(command);
  teach(command, {
    examples: [
      ["mtjobs status", "hosts, queues, workers"],
      ["mtjobs status .", "the area you are in"],
      ["mtjobs status /areas/a1 --json", "for programs"],
    ],
    exits: {
      3: "the area is outside --areas",
      4: "Redis is out of reach; with AREA that is said, and the exit code 0",
    },
  });
  bind(command, (context) => {
    const area = context.args[0];
    return area === undefined ? ofFarm(context) : ofArea(context, area);
  });
};

async function ofFarm({ settings }: CommandContext): Promise<Outcome> {
  const { farmStatus } = await import("../../farm-status.ts");
  const farm = await withSession(settings, farmStatus);
  return { document: farm, text: farmStatusText(farm) };
}

async function ofArea({ settings, io }: CommandContext, path: string): Promise<Outcome> {
  const { areaStatus } = await import("../../area-status.ts");
  // Side by side: a Redis that is away must not add its waiting to a slow file system's.
  const [look, asked] = await Promise.allSettled([
    areaStatus(path, { settings, cwd: io.cwd, env: io.env }),
    withSession(settings, async (session) => ({
      jobs: await listJobs(session),
      automatic: await automaticStatus(session),
    })),
  ]);
  if (look.status === "rejected") throw look.reason;
  const status = look.value;
  if (asked.status === "rejected") {
    const error = toJobsError(asked.reason);
    const document = { ...status, jobs: null, automatic: null, queueProblem: error.toDocument() };
    const outcome = { document, text: areaStatusText(status, error) };
    // The area was asked for and is told; that its queue is not to be had is no failure of that.
    return error.code === "redis-unreachable" ? outcome : { ...outcome, error };
  }
  const jobs = asked.value.jobs.filter((job) => job.area === status.area && isUnfinished(job.state));
  const automatic = asked.value.automatic.filter(({ area }) => area === status.area);
  const queue = { jobs, automatic };
  return { document: { ...status, ...queue, queueProblem: null }, text: areaStatusText(status, queue) };
}
