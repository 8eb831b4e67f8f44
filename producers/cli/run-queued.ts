import type { MoveResult, Progress } from "../../shared/contract/move-result.ts";
import { ExitCode } from "../../shared/error-codes.ts";
import type { Enqueued, JobResult } from "../contract/job.ts";
import { jobResultText } from "../format/move-result.ts";
import { phaseText } from "../format/phase.ts";
import type { CheckedRequest } from "../jobs/check-move.ts";
import { enqueueJob } from "../jobs/enqueue.ts";
import { followJob } from "../jobs/follow.ts";
import { failedMigration } from "../jobs/job-view.ts";
import { type Session, withSession } from "../jobs/session.ts";
import type { CommandContext } from "./command.ts";
import { exitOf } from "./exit-code.ts";
import type { Outcome } from "./outcome.ts";
import { type ProgressDisplay, progressDisplay } from "./progress-bar.ts";

/** Enqueues a job, and with `--wait` follows it until it ends. */
export function jobQueued(context: CommandContext, checked: CheckedRequest): Promise<Outcome> {
  const { payload } = checked;
  return queued<MoveResult>(context, (session) => enqueueJob(session, checked), {
    dryRun: payload.dryRun,
    exit: (result) => exitOf(result, payload),
  });
}

interface QueuedOptions<Result extends JobResult> {
  dryRun: boolean;
  /** The exit code if the job completed; 0 by default. */
  exit?: (result: Result) => number;
}

/** Does the same for any job that `enqueue` adds. */
export function queued<Result extends JobResult>(
  context: CommandContext,
  enqueue: (session: Session) => Promise<Enqueued>,
  options: QueuedOptions<Result>,
): Promise<Outcome> {
  return withSession(context.settings, async (session) => {
    const enqueued = await enqueue(session);
    return context.options.wait === true
      ? await follow(context, session, enqueued, options)
      : { document: enqueued, text: enqueuedText(enqueued), changed: true };
  });
}

export function enqueuedText({ jobId, host, duplicate, served }: Enqueued): string {
  const head = duplicate
    ? `${jobId}: the same job is already in the queue of ${host}; nothing was added`
    : `${jobId}: enqueued for ${host}`;
  const unserved = `no worker serves ${host} now; the job waits until one does (mtjobs worker)`;
  return [head, ...(served ? [] : [unserved]), `show it: mtjobs job ${jobId}`].join("\n");
}

async function follow<Result extends JobResult>(
  { io, json, options }: CommandContext,
  session: Session,
  enqueued: Enqueued,
  { dryRun, exit }: QueuedOptions<Result>,
): Promise<Outcome> {
  const display = await progressDisplay(io, json);
  if (enqueued.duplicate)
    display.note(`${enqueued.jobId}: the same job is already in the queue; following it`);
  try {
    const { result, error, ...place } = await followJob<Result>(session, enqueued, {
      signal: io.interrupt,
      timeoutMs: options.timeout as number | undefined,
      onProgress: enqueued.job === "migrate" ? phaseNotes(display) : display.progress,
      onNote: display.note,
    });
    display.end();
    if (error === undefined) {
      const code = exit?.(result) ?? ExitCode.done;
      return {
        document: result,
        text: jobResultText(result),
        exit: code,
        ...(dryRun ? {} : { changed: true }),
      };
    }
    const migration = failedMigration(error);
    if (migration !== undefined)
      return { document: migration.result, text: jobResultText(migration.result), error: migration.error };
    const { job, area } = enqueued;
    const state = error.code === "cancelled" ? "cancelled" : "failed";
    return { document: { ...place, job, area, state, dryRun }, text: "", error };
  } finally {
    display.end();
  }
}

/** A migration has no counts: print each phase once, and its end only as its result. */
export function phaseNotes({ note }: ProgressDisplay): (progress: Progress) => void {
  let shown = "";
  return ({ phase }) => {
    if (phase !== shown && phase !== "done") note(phaseText(phase));
    shown = phase;
  };
}
