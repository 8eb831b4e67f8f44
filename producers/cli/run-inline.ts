import type { MoveResult } from "../../shared/contract/move-result.ts";
import { JobsError } from "../../shared/errors.ts";
import { cancelOn, type InlineHooks } from "../jobs/run-inline.ts";
import type { CommandContext } from "./command.ts";
import { progressDisplay } from "./progress-bar.ts";

/**
 * Runs a job in this process and shows its progress on the terminal. Ctrl-C stops it at its next batch.
 *
 * @param done past participle for what was completed before an interrupt: "moved", "repaired"
 * @throws {JobsError} what the job threw; `interrupted` after Ctrl-C
 */
export async function inThisProcess(
  { io, json }: CommandContext,
  done: string,
  work: (hooks: InlineHooks) => Promise<MoveResult>,
): Promise<MoveResult> {
  const display = await progressDisplay(io, json);
  try {
    return await work({
      signal: cancelOn(io.interrupt),
      onLog: display.note,
      onProgress: display.progress,
    });
  } catch (error) {
    if (!io.interrupt.aborted) throw error;
    throw new JobsError("interrupted", `interrupted; what has been ${done} stays ${done}`, {
      hint: "run the same command again to continue",
      cause: error,
    });
  } finally {
    display.end();
  }
}
