import type { MoveResult, Progress } from "../../shared/contract/move-result.ts";
import type { MoveName, MovePayload, ReducePayload } from "../../shared/contract/payload.ts";
import { defined } from "../../shared/defined.ts";
import { JobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";

/** Callbacks and the stop signal of a job in this process. */
export interface InlineHooks {
  /** Aborted: the job stops at its next batch. */
  signal?: AbortSignal;
  onLog?: (sentence: string) => void;
  onProgress?: (progress: Progress) => void;
}

/** Runs a job in this process, without Redis; provided by the workers' side. Rejects with a JobsError. */
export type RunInline = (
  name: MoveName,
  payload: MovePayload,
  settings: Settings,
  hooks: InlineHooks,
) => Promise<MoveResult>;

export type RepairRequest = Pick<ReducePayload, "area" | "requestedBy">;

/** Finishes or undoes what dead jobs left in an area, in this process. Rejects with a JobsError. */
export type RunRepair = (
  request: RepairRequest,
  settings: Settings,
  hooks: InlineHooks,
) => Promise<MoveResult>;

/**
 * Converts an interrupt to a cancellation with a line in the history: in this process nothing puts the job back, as
 * a stopping worker does.
 */
export function cancelOn(interrupt: AbortSignal): AbortSignal {
  const cancel = new AbortController();
  const abort = () =>
    cancel.abort(new JobsError("cancelled", "interrupted", { hint: "what was moved stays moved" }));
  if (interrupt.aborted) abort();
  else interrupt.addEventListener("abort", abort, { once: true });
  return cancel.signal;
}

/** Returns the given hooks in the form that a job takes. */
export function jobHooks({
  signal,
  onProgress,
  onLog,
}: { [Hook in keyof InlineHooks]: InlineHooks[Hook] | undefined }): InlineHooks {
  return defined({ signal: signal && cancelOn(signal), onProgress, onLog });
}
