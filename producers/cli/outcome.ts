import { ExitCode, type JobsError } from "../../shared/errors.ts";
import { printable } from "../text/table.ts";
import { OutputFailure } from "../text/write.ts";
import type { CliIo } from "./io.ts";

/** What a command ends with. It is printed in one place, so that `--json` is always one document. */
export interface Outcome {
  /** Printed with `--json`: plain JSON. */
  document: unknown;
  /** Printed without; may be empty. */
  text: string;
  /** True where the command has printed all of it itself, row by row; an error is then part of its JSON already. */
  printed?: true;
  /** Set where the command has a document to show and failed all the same; gives the exit code. */
  error?: JobsError;
  /** Exit code where there is no error; 0 where it is left out. */
  exit?: number;
  /**
   * True if the command has changed something: its exit code tells of that, even if the document cannot be written. A dry
   * run has not: its output is all that was asked for.
   */
  changed?: true;
}

/** Prints an outcome and returns the exit code. */
export function printOutcome(io: CliIo, outcome: Outcome, json: boolean): number {
  const { document, text, error, printed } = outcome;
  if (isClosedPipe(error)) return outcome.exit ?? 0;
  // It is told once, at the end.
  if (isOutputFailure(error)) return ExitCode.failed;
  if (printed === true) {
    if (error !== undefined && !json) writeError(io, error);
  } else if (json) {
    const printed =
      error === undefined
        ? document
        : { ...(document as Record<string, unknown>), error: error.toDocument() };
    io.stdout.write(`${JSON.stringify(printed, null, 2)}\n`);
  } else {
    if (text !== "") io.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    if (error !== undefined) writeError(io, error);
  }
  return error?.exitCode ?? outcome.exit ?? 0;
}

/** Prints an error alone and returns its exit code. */
export function printError(io: CliIo, error: JobsError, json: boolean): number {
  if (json) io.stdout.write(`${JSON.stringify({ error: error.toDocument() }, null, 2)}\n`);
  else writeError(io, error);
  return error.exitCode;
}

/** True if the reader of the output has seen enough (`mtjobs list-runs | head`): no error of the command. */
export function isClosedPipe(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === "EPIPE") || isClosedPipe(error.cause);
}

/** True for what `write` throws, or an error that came of it. */
export function isOutputFailure(error: unknown): boolean {
  return error instanceof OutputFailure || (error instanceof Error && isOutputFailure(error.cause));
}

function writeError(io: CliIo, error: JobsError): void {
  io.stderr.write(`mtjobs: ${printable(error.message)}\n`);
  if (error.hint !== undefined) io.stderr.write(`  hint: ${printable(error.hint)}\n`);
}
