import * as z from "zod";

export const migrationStates = [
  "closing",
  "closed",
  "installed",
  "intent",
  "switched",
  "settled",
  "undoing",
  "undone",
] as const;
export type MigrationState = (typeof migrationStates)[number];

export const nextStates: Record<MigrationState, readonly MigrationState[]> = {
  closing: ["closed", "undoing"],
  closed: ["installed", "undoing"],
  installed: ["intent", "undoing"],
  intent: ["switched", "installed", "undoing"],
  switched: ["settled"],
  settled: [],
  undoing: ["undone"],
  undone: [],
};

const fileDigest = z.object({
  sha256: z.string(),
  rows: z.record(z.string(), z.number()),
  bytes: z.number(),
});
export type FileDigest = z.infer<typeof fileDigest>;

/** A row of `mtjobs_migrations`, the authoritative state of a migration. */
export const migrationRowSchema = z.object({
  /** The fence token when it began; names `.mtjobs/migration/<token>/`. */
  token: z.number().int().positive(),
  job_id: z.string(),
  requested_by: z.string(),
  kind: z.enum(["migration", "takeover"]),
  state: z.enum(migrationStates),
  /** Ms since 1970. */
  begun_at: z.number(),
  changed_at: z.number(),
  from_home: z.string(),
  to_home: z.string(),
  from_host: z.string(),
  to_host: z.string(),
  /** Token in the name of the file renamed to `.homehost`; null before the intent. */
  switch_token: z.number().int().nullable(),
  source: z.enum(["cache", "megatest.db"]),
  /** JSON, by file: `cache`, `ref`; null until the pair is closed. */
  digests: z
    .string()
    .transform((text) => z.partialRecord(z.enum(["cache", "ref"]), fileDigest).parse(JSON.parse(text)))
    .nullable(),
  old_ready: z.number(),
  new_ready: z.number(),
  reason: z.string().nullable(),
});
export type MigrationRow = z.infer<typeof migrationRowSchema>;
