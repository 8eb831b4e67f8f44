import type { MoveName } from "../../shared/contract/payload.ts";
import { ExitCode } from "../../shared/error-codes.ts";
import type { ErrorDocument } from "../../shared/error-document.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import { plural } from "../../shared/text.ts";
import { chooseAreas } from "../areas/choose-areas.ts";
import type { Enqueued } from "../contract/job.ts";
import { printable, textTable } from "../format/table.ts";
import { type CheckedRequest, checkRequest, type MoveRequest } from "../jobs/check-move.ts";
import { enqueueAll } from "../jobs/enqueue.ts";
import { withSession } from "../jobs/session.ts";
import type { CommandContext } from "./command.ts";
import type { Outcome } from "./outcome.ts";

interface ManyJobs {
  jobs: Enqueued[];
  /** Areas for which no job was enqueued. */
  refused: { area: string; error: ErrorDocument }[];
  warnings: string[];
}

/** Options that are about one area. */
const forOneArea = { inline: "--inline", wait: "--wait", runId: "--run-id" };

/**
 * Enqueues one job for each area that a pattern matches, or for all below the roots.
 *
 * @param members of the jobs' data, without the area
 * @throws {JobsError} `usage` for an option that is about one area; as `chooseAreas`
 */
export async function jobsQueued<Name extends MoveName>(
  { options, settings, io }: CommandContext,
  name: Name,
  pattern: string | undefined,
  members: Omit<MoveRequest<Name>, "area">,
): Promise<Outcome> {
  const wrong = Object.entries(forOneArea).find(([option]) => options[option] !== undefined);
  if (wrong !== undefined) {
    throw new JobsError("usage", `${wrong[1]} is for one area, and several were asked for`, {
      hint: `remove ${wrong[1]}, or name one area`,
    });
  }
  const place = { settings, cwd: io.cwd, env: io.env };
  const { areas, warnings } = chooseAreas(pattern === undefined ? [] : [pattern], place);
  const checked: CheckedRequest[] = [];
  const refused: ManyJobs["refused"] = [];
  for (const { area } of areas) {
    try {
      checked.push(await checkRequest(name, { ...members, area } as MoveRequest<Name>, place));
    } catch (error) {
      const reason = toJobsError(error);
      // Wrong selectors are wrong for every area.
      if (reason.code === "bad-payload" || reason.code === "usage") throw reason;
      refused.push({ area, error: reason.toDocument() });
    }
  }
  const jobs = await withSession(settings, (session) => enqueueAll(session, checked));
  return {
    document: { jobs, refused, warnings } satisfies ManyJobs,
    text: manyText({ jobs, refused, warnings }),
    exit: refused.length + warnings.length === 0 ? ExitCode.done : ExitCode.failed,
    ...(jobs.some(({ duplicate }) => !duplicate) ? { changed: true } : {}),
  };
}

function manyText({ jobs, refused, warnings }: ManyJobs): string {
  const rows = jobs.map(({ area, host, jobId, duplicate, served }) => [
    area,
    host,
    jobId,
    [...(duplicate ? ["already in the queue"] : []), ...(served ? [] : ["no worker serves the host"])].join(
      ", ",
    ),
  ]);
  const added = jobs.filter(({ duplicate }) => !duplicate).length;
  return [
    textTable(rows, { head: ["AREA", "HOST", "JOB", ""] }),
    "",
    `enqueued ${plural(added, "job")}; follow them: mtjobs jobs`,
    ...refused.map(({ area, error }) => `refused: ${printable(area)}: ${printable(error.message)}`),
    ...warnings.map((warning) => `warning: ${warning}`),
  ].join("\n");
}
