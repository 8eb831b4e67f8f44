import { JobsError } from "../../../shared/errors.ts";
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
  const { readQueues, wholeStatus } = await import("../../area-queue.ts");
  const status = await wholeStatus(
    areaStatus(path, { settings, cwd: io.cwd, env: io.env }),
    withSession(settings, readQueues),
  );
  if (status.queueProblem === null) return { document: status, text: areaStatusText(status, status) };
  const error = JobsError.fromDocument(status.queueProblem);
  const outcome = { document: status, text: areaStatusText(status, error) };
  // The area was asked for and is told; that its queue is not to be had is no failure of that.
  return error.code === "redis-unreachable" ? outcome : { ...outcome, error };
}
