import * as z from "zod";

export const milliseconds = z.number().int().nonnegative();

/** The members that the data of every job has. */
export const jobShape = {
  v: z.literal(1),
  /** Absolute path of the area, as the worker's host mounts it. */
  area: z.string().startsWith("/", "must be an absolute path").max(4096),
  /** `user@host`, for the history. */
  requestedBy: z.string().max(512).default("unknown"),
};
