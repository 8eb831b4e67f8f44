import { z } from "zod";
import { payloadSchemas } from "../../shared/queue/payload.ts";
import { type RequestName, requestNames } from "../request-job.ts";

/** A job as requested over HTTP: its kind and the members of its data. */
export interface JobBody {
  job: RequestName;
  area: string;
  requestedBy?: string | undefined;
  [option: string]: unknown;
}

const duration = z
  .string()
  .max(32)
  .regex(/^\d+(\.\d+)?(s|m|h|d|w)$/, "is not a duration such as 90s, 30m, 12h, 30d or 8w");

/** Members that are milliseconds in the queue, and may be durations here, as on the command line. */
const durations = ["age", "deadAfter", "grace", "maxTime", "quietFor", "deadline"] as const;

function bodySchema(name: RequestName) {
  const { v: _version, requestedBy: _who, ...shape } = payloadSchemas[name].shape;
  const eased = Object.fromEntries(
    durations
      .filter((member) => member in shape)
      .map((member) => [member, z.union([z.int().nonnegative(), duration]).optional()]),
  );
  return z
    .strictObject({
      job: z.literal(name),
      ...shape,
      ...eased,
      requestedBy: z.string().min(1).max(512).optional(),
    })
    .meta({ id: `${name.charAt(0).toUpperCase()}${name.slice(1)}Request` });
}

const schemas = requestNames.map(bodySchema);

export const jobBodySchema = z.discriminatedUnion(
  "job",
  schemas as unknown as [(typeof schemas)[number], ...typeof schemas],
);
