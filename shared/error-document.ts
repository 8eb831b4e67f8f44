import * as z from "zod";
import { openEnum, openObject } from "./document-schema.ts";
import type { ErrorCode } from "./error-codes.ts";

/** The wire form of an error: printed by `--json`, stored by a failed job. */
export const errorSchema = openObject({
  code: openEnum<ErrorCode>(),
  message: z.string(),
  /** One sentence on what to do. */
  hint: z.string().optional(),
  /** Facts for programs; plain JSON. */
  details: z.record(z.string(), z.unknown()).optional(),
});
export type ErrorDocument = z.infer<typeof errorSchema>;
