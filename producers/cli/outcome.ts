import { type ErrorCode, ExitCode } from "../../shared/error-codes.ts";
import { JobsError, systemCode } from "../../shared/errors.ts";
import { OutputFailure, printable } from "../format/table.ts";
import type { CliIo } from "./io.ts";

/** The result of a command. It is printed in one place, so that `--json` is always one document. */
export interface Outcome {
  /** Plain JSON, printed with `--json`. */
  document: unknown;
  /** Printed without `--json`; may be empty. */
  text: string;
  /** True if the command has printed everything itself, row by row; its JSON then already contains an error. */
  printed?: true;
  /** Set if the command failed but has a document to show; gives the exit code. */
  error?: JobsError | undefined;
  /** Exit code if there is no error; 0 by default. */
  exit?: number;
  /**
   * True if the command has changed something: the exit code reports that even if the document cannot be written. A
   * dry run does not count, because its output is its only purpose.
   */
  changed?: true;
}

export function printOutcome(io: CliIo, outcome: Outcome, json: boolean): number {
  const { document, text, error, printed } = outcome;
  if (isClosedPipe(error)) return outcome.exit ?? 0;
  // Reported once, at the end.
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

export function printError(io: CliIo, error: JobsError, json: boolean): number {
  if (json) io.stdout.write(`${JSON.stringify({ error: error.toDocument() }, null, 2)}\n`);
  else writeError(io, error);
  return error.exitCode;
}

const ofRedis: readonly ErrorCode[] = ["redis-unreachable", "bad-redis"];

/** Returns true if the reader closed the output early (`mtjobs list-runs | head`), which is not an error. */
export function isClosedPipe(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // A connection to Redis that the server closed is the same error of the system, and no output.
  if (error instanceof JobsError && ofRedis.includes(error.code)) return false;
  return systemCode(error) === "EPIPE" || isClosedPipe(error.cause);
}

/** Returns true for an error that `write` threw or caused. */
export function isOutputFailure(error: unknown): boolean {
  return error instanceof OutputFailure || (error instanceof Error && isOutputFailure(error.cause));
}

function writeError(io: CliIo, error: JobsError): void {
  io.stderr.write(`mtjobs: ${printable(error.message)}\n`);
  if (error.hint !== undefined) io.stderr.write(`  hint: ${printable(error.hint)}\n`);
}
