import { z } from "zod";
import { type ErrorCode, type ErrorDocument, errorCodes, JobsError } from "../errors.ts";

const documentSchema = z.object({
  code: z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]).catch("internal"),
  message: z.string(),
  hint: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

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
  try {
    const { hint, details, ...document } = documentSchema.parse(JSON.parse(lastLine));
    const rest = { ...(hint === undefined ? {} : { hint }), ...(details === undefined ? {} : { details }) };
    return JobsError.fromDocument({ ...document, ...rest } satisfies ErrorDocument);
  } catch {
    return new JobsError("internal", failedReason, {
      hint: "the queue gave this reason, not a job; the job's log tells how far it came",
    });
  }
}
