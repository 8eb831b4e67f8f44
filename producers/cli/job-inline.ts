import { JobsError } from "../../shared/errors.ts";
import type { CheckedRequest } from "../move-request.ts";
import { cancelOn } from "../run-inline.ts";
import { resultText } from "../text/result-text.ts";
import type { CommandContext } from "./command.ts";
import type { CliDeps } from "./deps.ts";
import type { Outcome } from "./outcome.ts";
import { progressDisplay } from "./progress-bar.ts";

/**
 * `--inline`: the job in this process. Ctrl-C stops it at its next batch.
 * @throws {JobsError} what the job threw; `interrupted` after Ctrl-C
 */
export async function jobInline(
  { io, settings, json }: CommandContext,
  deps: CliDeps,
  { name, payload }: CheckedRequest,
): Promise<Outcome> {
  const display = await progressDisplay(io, json);
  try {
    const result = await deps.runInline(name, payload, settings, {
      signal: cancelOn(io.interrupt),
      onLog: display.note,
      onProgress: display.progress,
    });
    display.end();
    return { document: result, text: resultText(result) };
  } catch (error) {
    if (!io.interrupt.aborted) throw error;
    throw new JobsError("interrupted", "interrupted; what was moved stays moved", {
      hint: "run the same command again: it goes on where it stopped",
      cause: error,
    });
  } finally {
    display.end();
  }
}
