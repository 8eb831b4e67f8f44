import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { plural } from "../../shared/plural.ts";
import { openMigrationTokens } from "../migration-facts.ts";
import { openLook } from "../open-look.ts";
import { type Check, good, note } from "./check.ts";
import type { Patient } from "./patient.ts";

const mostNamed = 20;

/** What migrations that have ended left of what was written at a wrong place: of some rows it may be the only copy. */
export function checkLeftStrays({ area }: Patient): Check {
  const root = join(area.privateDir, "migration");
  const tokens = existsSync(root) ? readdirSync(root).filter((name) => /^\d{1,15}$/.test(name)) : [];
  const open = tokens.length === 0 ? [] : openTokens(area.megatestDb);
  const files = tokens
    .filter((token) => !open.includes(Number(token)))
    .flatMap((token) => straysIn(join(root, token)).map((name) => join(root, token, name)));
  if (files.length === 0) return good("left-strays", "no migration left strays");
  const first = files.slice(0, mostNamed);
  const more = files.length > first.length ? ", …" : "";
  return note(
    "left-strays",
    `migrations that have ended left ${plural(files.length, "stray")}, copies of what was written at a wrong place: ${first.join(", ")}${more}`,
    {
      remedy:
        "see in the history line of that migration, and in docs/migration.md under What stays behind, what did not come home; then delete them",
      details: { files: first, count: files.length },
    },
  );
}

function openTokens(megatestDb: string): number[] {
  const db = openLook({ area: megatestDb });
  try {
    return openMigrationTokens(db);
  } finally {
    db.close();
  }
}

/** A file in the place of a directory has none. */
function straysIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /^stray-\d{1,6}\.db$/.test(name));
  } catch {
    return [];
  }
}
