import { type Enqueued, enqueueJob } from "../enqueue.ts";
import { followJob } from "../follow.ts";
import { exitOf } from "../held-back.ts";
import type { CheckedRequest } from "../move-request.ts";
import { type Session, withSession } from "../session.ts";
import { resultText } from "../text/result-text.ts";
import type { CommandContext } from "./command.ts";
import type { Outcome } from "./outcome.ts";
import { progressDisplay } from "./progress-bar.ts";

/** A job through Redis: enqueues it, and with `--wait` follows it to its end. */
export function jobQueued(context: CommandContext, checked: CheckedRequest): Promise<Outcome> {
  const { settings, options } = context;
  return withSession(settings, async (session) => {
    const enqueued = await enqueueJob(session, checked);
    return options.wait === true
      ? await follow(context, session, enqueued, checked)
      : { document: enqueued, text: enqueuedText(enqueued) };
  });
}

function enqueuedText({ jobId, host, duplicate, served }: Enqueued): string {
  const head = duplicate
    ? `${jobId}: the same job is unfinished in the queue of ${host}; nothing was added`
    : `${jobId}: enqueued for ${host}`;
  const unserved = `no worker serves ${host} now: the job waits until one does (mtjobs worker)`;
  return [head, ...(served ? [] : [unserved]), `look at it: mtjobs job ${jobId}`].join("\n");
}

async function follow(
  { io, json, options }: CommandContext,
  session: Session,
  enqueued: Enqueued,
  { name, payload }: CheckedRequest,
): Promise<Outcome> {
  const display = await progressDisplay(io, json);
  if (enqueued.duplicate) display.note(`${enqueued.jobId}: the same job is unfinished already; following it`);
  try {
    const { result, error, ...place } = await followJob(session, enqueued, {
      signal: io.interrupt,
      timeoutMs: options.timeout as number | undefined,
      onProgress: display.progress,
      onNote: display.note,
    });
    display.end();
    if (error === undefined)
      return { document: result, text: resultText(result), exit: exitOf(result, payload) };
    const state = error.code === "cancelled" ? "cancelled" : "failed";
    const document = { ...place, job: name, area: payload.area, state, dryRun: payload.dryRun };
    return { document, text: "", error };
  } finally {
    display.end();
  }
}
