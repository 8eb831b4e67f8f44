import { join } from "node:path";
import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import { scanHistory } from "../../shared/area/history.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { journalMode } from "../../shared/sqlite/journal.ts";
import type { AreaMeasure } from "../areas/measure-areas.ts";
import { Reread } from "../areas/reread.ts";
import type { SideName } from "../contract/runs.ts";
import { FullDb } from "../full-db/full-db.ts";
import { countRuns } from "./browse-runs.ts";
import { sizesOf } from "./history-points.ts";

/** Null if it cannot be read, or was not yet. */
export interface AreaTotal {
  runs: Record<SideName, number> | null;
  /** By how much jobs made megatest.db smaller; restores, which make it larger, are subtracted. */
  savedBytes: number | null;
}

/** Milliseconds for one round over all areas; what is left is for the next. */
const roundMs = 20_000;
const mostHistoryBytes = 32 * 1024 * 1024;
const busyTimeoutMs = 500;

/** Counts the runs of areas and sums up their histories; each is read again at most every few minutes. */
export class AreaTotals {
  readonly #runs = new Reread<AreaTotal["runs"]>();
  readonly #saved = new Reread<number | null>();

  /** Returns the totals of the areas that were measured, by path. */
  read(
    measures: readonly AreaMeasure[],
    settings: Pick<Settings, "areas">,
    env: NodeJS.ProcessEnv,
  ): Map<string, AreaTotal> {
    const deadline = performance.now() + roundMs;
    return new Map(
      measures.map(({ area: path }) => {
        if (performance.now() > deadline) return [path, this.#last(path)];
        try {
          return [path, this.#of(openAllowedArea(path, settings, env))];
        } catch {
          return [path, { runs: null, savedBytes: null }]; // removed or changed since it was found
        }
      }),
    );
  }

  #of(area: Area): AreaTotal {
    const { path, megatestDb, completedDb, privateDir } = area;
    return {
      runs: this.#runs.of(path, [megatestDb, completedDb], () => attempt(() => runsOf(area))),
      savedBytes: this.#saved.of(path, [join(privateDir, "history.jsonl")], () =>
        attempt(() => savedOf(area)),
      ),
    };
  }

  #last(path: string): AreaTotal {
    return { runs: this.#runs.last(path) ?? null, savedBytes: this.#saved.last(path) ?? null };
  }
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Reads megatest.db, not the cache: this is done for all areas, and must leave no file beside one. */
function runsOf({ megatestDb, completedDb }: Area): AreaTotal["runs"] {
  if (journalMode(megatestDb) === "wal") return null;
  const files = { main: megatestDb, source: "megatest.db", megatestDb, completedDb } as const;
  const db = new FullDb(files, { busyTimeoutMs });
  try {
    return countRuns({ db, keys: [] }, {});
  } finally {
    db.close();
  }
}

function savedOf(area: Area): number {
  let saved = 0;
  let read = 0;
  scanHistory(area, (line, bytes) => {
    const { before, after } = sizesOf(line) ?? {};
    saved += (before?.["megatest.db"] ?? 0) - (after?.["megatest.db"] ?? 0);
    read += bytes;
    return read < mostHistoryBytes;
  });
  return saved;
}
