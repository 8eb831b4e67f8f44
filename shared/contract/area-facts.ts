import * as z from "zod";
import { openObject } from "../document-schema.ts";

/** A Megatest server, according to its log. */
export const megatestServerSchema = openObject({
  pid: z.number(),
  /** From the log's name. */
  host: z.string(),
  /** `host:port`; undefined if not logged yet, or stale. */
  address: z.string().optional(),
  /** Ms since 1970; undefined like `address`. */
  startedAt: z.number().optional(),
  logMtimeMs: z.number(),
  /** Ms by which the log is dated in the future: until then Megatest's clients consider the server usable. */
  aheadMs: z.number().optional(),
  /** `live`: it touched its log recently. `stale-alive`: it did not, but its local process exists. */
  state: z.enum(["live", "stale-alive", "stale"]),
});
export type MegatestServer = z.infer<typeof megatestServerSchema>;

/** A line of the history, which any version may have written. */
export const historyLineSchema = z.looseObject({ jobId: z.string() });
export type HistoryLine = z.infer<typeof historyLineSchema>;
