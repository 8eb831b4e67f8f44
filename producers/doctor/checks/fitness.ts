import { emptyCompleted } from "../../../shared/area-db/completed-schema.ts";
import { assertGuardsFit } from "../../../shared/area-db/hidden-rows.ts";
import { assertRoomIn } from "../../../shared/area-db/id-room.ts";
import { defined } from "../../../shared/defined.ts";
import type { Part } from "../../../shared/sqlite/connection.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import type { Check } from "../../contract/area.ts";
import { type CheckName, examine, good, note } from "./check.ts";
import { type DoctorContext, nameOf } from "./context.ts";

/** Checks what every job requires of ids and schemas before it writes. */
export async function checkFitness(context: DoctorContext): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [part, file] of Object.entries(context.files) as [Part, string][]) {
    const name = `id-room/${nameOf[part]}` as const;
    checks.push(...(await examine(name, () => [checkIdRoom(name, part, file)])));
  }
  return [...checks, ...(await examine("site-schema", () => [checkSiteSchema(context)]))];
}

function checkIdRoom(name: CheckName, part: Part, file: string): Check {
  const db = openReadonly({ [part]: file });
  try {
    assertRoomIn(db, part, file);
    return good(name, "ids have room to grow");
  } finally {
    db.close();
  }
}

function checkSiteSchema({ files: { area = "", cache, ref } }: DoctorContext): Check {
  const files = defined({ area, cache });
  const all: Partial<Record<Part, string>> = defined({ ...files, ref });
  const db = openReadonly(all);
  try {
    const sources = Object.entries(files).map(([part, file]) => ({ db, part, file }));
    const left = emptyCompleted(sources).warnings;
    assertGuardsFit(db, Object.keys(all) as Part[]);
    if (left.length === 0) return good("site-schema", "completed-runs.db can reproduce the whole schema");
    return note("site-schema", left.join("; "), { details: { left } });
  } finally {
    db.close();
  }
}
