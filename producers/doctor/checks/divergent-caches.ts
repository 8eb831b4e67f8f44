import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { plural } from "../../../shared/text.ts";
import { openMigrationTokens } from "../../areas/migration-status.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import type { Check } from "../../contract/area.ts";
import { good, note } from "./check.ts";
import type { DoctorContext } from "./context.ts";

const mostNamed = 20;

/** Finds divergent caches that finished migrations kept; some rows may exist only there. */
export function checkDivergentCaches({ area }: DoctorContext): Check {
  const root = join(area.privateDir, "migration");
  const tokens = existsSync(root) ? readdirSync(root).filter((name) => /^\d{1,15}$/.test(name)) : [];
  const open = tokens.length === 0 ? [] : openTokens(area.megatestDb);
  const files = tokens
    .filter((token) => !open.includes(Number(token)))
    .flatMap((token) => divergentCachesIn(join(root, token)).map((name) => join(root, token, name)));
  if (files.length === 0) return good("left-strays", "no migration kept divergent caches");
  const first = files.slice(0, mostNamed);
  const more = files.length > first.length ? ", …" : "";
  return note(
    "left-strays",
    `finished migrations kept ${plural(files.length, "divergent cache")}: ${first.join(", ")}${more}`,
    {
      remedy:
        "see what was not merged in the migration's history line and in docs/migration.md under What stays behind; then delete them",
      details: { files: first, count: files.length },
    },
  );
}

function openTokens(megatestDb: string): number[] {
  const db = openReadonly({ area: megatestDb });
  try {
    return openMigrationTokens(db);
  } finally {
    db.close();
  }
}

/** Returns nothing for a file in place of a directory. */
function divergentCachesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /^stray-\d{1,6}\.db$/.test(name));
  } catch {
    return [];
  }
}
