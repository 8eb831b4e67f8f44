import { errorCodes } from "../error-codes.ts";
import type { ErrorDocument } from "../error-document.ts";
import { JobsError } from "../errors.ts";

/**
 * Encodes the message (shown by Bull Board), then the error document on its own line. JSON has no raw line breaks.
 */
export function encodeFailure(error: JobsError): string {
  return `${error.message}\n${JSON.stringify(error.toDocument())}`;
}

/** Decodes a `failedReason`; text from BullMQ or other tools becomes `internal`. */
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
