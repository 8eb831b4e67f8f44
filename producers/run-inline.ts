import { JobsError } from "../shared/errors.ts";
import type { MoveName, MovePayload, ReducePayload } from "../shared/queue/payload.ts";
import type { MoveResult, Progress } from "../shared/result.ts";
import type { Settings } from "../shared/settings.ts";

/** What a job in this process reports while it works, and how it is stopped. */
export interface InlineHooks {
  /** Aborted: it stops at its next batch. */
  signal?: AbortSignal;
  onLog?: (sentence: string) => void;
  onProgress?: (progress: Progress) => void;
}

/** Does a job in this process, without Redis; the workers' side brings it. Rejects with a JobsError. */
export type RunInline = (
  name: MoveName,
  payload: MovePayload,
  settings: Settings,
  hooks: InlineHooks,
) => Promise<MoveResult>;

/** An area to mend, and who asks for it. */
export type RepairRequest = Pick<ReducePayload, "area" | "requestedBy">;

/** Finishes or undoes what dead jobs left in an area, in this process. Rejects with a JobsError. */
export type RunRepair = (
  request: RepairRequest,
  settings: Settings,
  hooks: InlineHooks,
) => Promise<MoveResult>;

/**
 * The job's side of an interrupt: it ends as one that somebody cancelled, with a line in the history. Nobody puts it
 * back, as a worker does that leaves.
 */
export function cancelOn(interrupt: AbortSignal): AbortSignal {
  const cancel = new AbortController();
  const abort = () =>
    cancel.abort(new JobsError("cancelled", "interrupted", { hint: "what was moved stays moved" }));
  if (interrupt.aborted) abort();
  else interrupt.addEventListener("abort", abort, { once: true });
  return cancel.signal;
}

/** What is given, as a job takes it. */
export function jobHooks({
  signal,
  onProgress,
  onLog,
}: { [Hook in keyof InlineHooks]: InlineHooks[Hook] | undefined }): InlineHooks {
  return {
    ...(signal === undefined ? {} : { signal: cancelOn(signal) }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(onLog === undefined ? {} : { onLog }),
  };
}
