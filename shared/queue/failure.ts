import { type ErrorDocument, errorCodes, JobsError } from "../errors.ts";

/**
 * A job's `failedReason`: the message for people (Bull Board shows it), then on a line of its own the error
 * document for programs. JSON never holds a raw line break, so the last line is always the whole document.
 */
export function encodeFailure(error: JobsError): string {
  return `${error.message}\n${JSON.stringify(error.toDocument())}`;
}

/** The error behind a `failedReason`; what BullMQ or another tool wrote there becomes `internal`. */
export function decodeFailure(failedReason: string): JobsError {
  const lastLine = failedReason.slice(failedReason.lastIndexOf("\n") + 1);
  return (
    readDocument(lastLine) ??
    new JobsError("internal", failedReason, {
      hint: "this reason comes from the queue, not from the job; the job's log shows its progress",
    })
  );
}

function readDocument(line: string): JobsError | undefined {
  try {
    const { code, message, hint, details } = JSON.parse(line) as Record<keyof ErrorDocument, unknown>;
    if (typeof code !== "string" || typeof message !== "string") return undefined;
    return JobsError.fromDocument({
      // A newer version may know more codes.
      code: errorCodes.find((known) => known === code) ?? "internal",
      message,
      ...(typeof hint === "string" ? { hint } : {}),
      ...(isRecord(details) ? { details } : {}),
    });
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
