import { JobsError } from "../../../../shared/errors.ts";
import { isOutage } from "../../../../shared/queue/reply-error.ts";
import { areaStatusText, fleetStatusText } from "../../../format/status.ts";
import { withSession } from "../../../jobs/session.ts";
import { type AddCommand, addHelp, addSharedOptions, type CommandContext } from "../../command.ts";
import type { Outcome } from "../../outcome.ts";

export const addStatus: AddCommand = (program, bind) => {
  const command = program
    .command("status")
    .summary(
      "show an area's sizes, runs, homehost, locks and last jobs; without AREA, all hosts, queues and workers",
    )
    .description(
      "With AREA: show its sizes, runs, homehost, locks, Megatest servers and last jobs; read-only. Without: show all hosts with their queues and workers.",
    )
    .argument("[area]", "the area's path; use . for the working directory");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs status", "hosts, queues, workers"],
      ["mtjobs status .", "the working directory"],
      ["mtjobs status /areas/a1 --json", "for programs"],
    ],
    exits: {
      3: "the area is outside --areas",
      4: "Redis is unreachable; with AREA this is only reported, and the exit code is 0",
    },
  });
  bind(command, (context) => {
    const area = context.args[0];
    return area === undefined ? ofFleet(context) : ofArea(context, area);
  });
};

async function ofFleet({ settings }: CommandContext): Promise<Outcome> {
  const { fleetStatus } = await import("../../../fleet/status.ts");
  const fleet = await withSession(settings, fleetStatus);
  return { document: fleet, text: fleetStatusText(fleet) };
}

async function ofArea({ settings, io }: CommandContext, path: string): Promise<Outcome> {
  const { areaStatus } = await import("../../../areas/status.ts");
  const { readQueues, areaStatusWithJobs } = await import("../../../fleet/area-status.ts");
  const status = await areaStatusWithJobs(
    areaStatus(path, { settings, cwd: io.cwd, env: io.env }),
    withSession(settings, readQueues),
  );
  const { jobs, automatic, queueProblem } = status;
  if (queueProblem === null)
    return {
      document: status,
      text: areaStatusText(status, { jobs: jobs ?? [], automatic: automatic ?? [] }),
    };
  const error = JobsError.fromDocument(queueProblem);
  const outcome = { document: status, text: areaStatusText(status, error) };
  // The area itself was read: an unreachable queue is reported, but is not a failure of this command.
  return isOutage(error) ? outcome : { ...outcome, error };
}
