import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SampleArea, SampleAreaOptions } from "../../../producers/demo/sample-area/build-area.ts";
import { type Area, openArea } from "../../../shared/area/area.ts";
import { type CachePair, findCache } from "../../../shared/area/cache/cache.ts";
import type { FileDigest } from "../../../shared/contract/migration-row.ts";
import { resolveSettings, type Settings } from "../../../shared/settings/settings.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { raiseFenceToken } from "../../../workers/area-db/fence.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import type { ClosedMark } from "../../../workers/migrate/pair/closed.ts";
import { writeSnapshot } from "../../../workers/migrate/pair/copy-database.ts";
import { digestOf } from "../../../workers/migrate/pair/digest.ts";
import { type GapIds, gapAbove } from "../../../workers/migrate/pair/id-gap.ts";
import { installPair } from "../../../workers/migrate/pair/install.ts";
import { newArea } from "../area/temp-area.ts";
import { closePart } from "./close-part.ts";

const never = new AbortController().signal;

/** An area that moves from its host to another one, without the migration's states in the databases. */
export interface TwoPairs {
  sample: SampleArea;
  area: Area;
  /** The two hosts, each with its own cache root. */
  old: Settings;
  new: Settings;
  /** `.mtjobs/migration/<token>`. */
  directory: string;
  mark: Omit<ClosedMark, "changeCounter">;
  gap: GapIds;
}

export function twoPairs(options: Partial<SampleAreaOptions> = {}, token = 7): TwoPairs {
  const sample = newArea({ runs: 4, testsPerRun: 3, ...options });
  const area = openArea(sample.directory);
  const directory = join(area.privateDir, "migration", String(token));
  mkdirSync(directory, { recursive: true });
  const settingsOf = (host: string, cacheRoot: string) => {
    mkdirSync(cacheRoot, { recursive: true });
    return resolveSettings({ flags: { host, user: sample.user, cacheRoot } });
  };
  const db = openConnection({ cache: sample.cacheDb, area: sample.megatestDb });
  const gap = gapAbove(db, ["cache", "area"]);
  db.close();
  return {
    sample,
    area,
    old: settingsOf(sample.host, sample.cacheRoot),
    new: settingsOf("host-b", `${sample.cacheRoot}-b`),
    directory,
    mark: { token, movedTo: "host-b", closedAt: Date.now() },
    gap,
  };
}

export function pairAt(area: Area, settings: Settings): CachePair {
  const pair = findCache(area, settings);
  if (pair === undefined) throw new Error(`no pair on ${settings.host}`);
  return pair;
}

/** Closes the pair on a host, as the step with the given token. */
export function closePair(
  { area, mark }: Pick<TwoPairs, "area" | "mark">,
  settings: Settings,
  stepToken = mark.token,
): void {
  const pair = pairAt(area, settings);
  const db = openConnection({ cache: pair.megatestDb, ref: pair.refDb ?? "" });
  for (const part of ["cache", "ref"] as const) {
    transact(db, () => raiseFenceToken(db, part, stepToken));
    closePart(db, part, mark, stepToken);
  }
  db.close();
}

/** Closes the pair on the old host and takes its snapshot and digests. */
export async function takeSnapshot(pairs: TwoPairs): Promise<{ cache: FileDigest; ref: FileDigest }> {
  closePair(pairs, pairs.old);
  const pair = pairAt(pairs.area, pairs.old);
  await writeSnapshot({
    pair,
    directory: pairs.directory,
    stepToken: pairs.mark.token,
    model: pairs.area.megatestDb,
    signal: never,
  });
  return { cache: digestOf(pair.megatestDb, never), ref: digestOf(pair.refDb ?? "", never) };
}

export async function install(
  pairs: TwoPairs,
  digests: { cache: FileDigest; ref: FileDigest },
  failpoint: (step: string) => void = () => {},
): Promise<CachePair> {
  return installPair({
    area: pairs.area,
    settings: pairs.new,
    token: pairs.mark.token,
    stepToken: pairs.mark.token + 1,
    gapAbove: pairs.gap,
    signal: never,
    failpoint,
    snapshot: pairs.directory,
    digests,
  });
}
