import { execFileSync } from "node:child_process";
import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { openArea } from "../../shared/area/area.ts";
import { type CachePair, findCache } from "../../shared/area/cache/cache.ts";
import { resolveSettings, type Settings } from "../../shared/settings/settings.ts";
import { openConnection } from "../../shared/sqlite/connection.ts";
import { raiseFenceToken } from "../../workers/area-db/fence.ts";
import { transact } from "../../workers/area-db/transaction.ts";
import { writeSnapshot } from "../../workers/migrate/pair/copy-database.ts";
import { digestInThread } from "../../workers/migrate/pair/digest-in-thread.ts";
import { gapAbove } from "../../workers/migrate/pair/id-gap.ts";
import { installPair } from "../../workers/migrate/pair/install.ts";
import { closePart } from "../support/hosts/close-part.ts";
import { benchArea } from "./areas.ts";
import { say, tell } from "./report.ts";

const never = new AbortController().signal;

/** Runs that make a pair of some 200 MiB. */
const runsOfPair = 810;

/**
 * How long a pair is closed for while it goes to another host, against copying it by hand: to the area and on, each file made
 * durable, and each copy checked as ours are.
 */
export async function compareMigration(directory: string, rounds: number): Promise<void> {
  const sample = benchArea(join(directory, "original"), runsOfPair);
  const settings = resolveSettings({
    flags: { host: sample.host, user: sample.user, cacheRoot: sample.cacheRoot },
  });
  const pair = findCache(openArea(sample.directory), settings);
  if (pair?.refDb === undefined) throw new Error("no pair was built");
  const bytes = statSync(pair.megatestDb).size + statSync(pair.refDb).size;
  say(`a pair of ${(bytes / 1024 / 1024).toFixed(0)} MiB:`);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const hand = await byHand(pair, join(directory, "hand"));
    const ours = await byMigration(
      sample.directory,
      settings,
      join(directory, `new-${round}`),
      10 + 2 * round,
    );
    ratios.push(ours / hand);
    say(
      `round ${round + 1}: migration / by hand ${(ours / hand).toFixed(3)} (${ours.toFixed(0)} ms / ${hand.toFixed(0)} ms)`,
    );
  }
  tell("pair", ratios);
}

async function byHand(pair: CachePair, directory: string): Promise<number> {
  execFileSync("sync");
  const started = performance.now();
  let from = { cache: pair.megatestDb, ref: pair.refDb ?? "" };
  for (const place of ["area", "tmp"]) {
    mkdirSync(join(directory, place), { recursive: true });
    const to = {
      cache: join(directory, place, "megatest.db"),
      ref: join(directory, place, "megatest_ref.db"),
    };
    for (const part of ["cache", "ref"] as const) copyDurably(from[part], to[part]);
    await digestInThread(to, never);
    from = to;
  }
  const ms = performance.now() - started;
  rmSync(directory, { recursive: true });
  return ms;
}

function copyDurably(from: string, to: string): void {
  copyFileSync(from, to);
  const fd = openSync(to, "r+");
  fsyncSync(fd);
  closeSync(fd);
}

/** From the close of the old pair until the new one stands closed in its place. */
async function byMigration(path: string, old: Settings, cacheRoot: string, token: number): Promise<number> {
  const area = openArea(path);
  const pair = findCache(area, old);
  if (pair?.refDb === undefined) throw new Error("no pair");
  const snapshot = join(area.privateDir, "migration", String(token));
  mkdirSync(snapshot, { recursive: true });
  mkdirSync(cacheRoot, { recursive: true });
  execFileSync("sync");
  const started = performance.now();
  const db = openConnection({ cache: pair.megatestDb, ref: pair.refDb });
  for (const part of ["cache", "ref"] as const) {
    transact(db, () => raiseFenceToken(db, part, token));
    closePart(db, part, { token, movedTo: "new", closedAt: Date.now() }, token);
  }
  const gap = gapAbove(db, ["cache"]);
  db.close();
  const [digests] = await Promise.all([
    digestInThread({ cache: pair.megatestDb, ref: pair.refDb }, never),
    writeSnapshot({ pair, directory: snapshot, stepToken: token, model: area.megatestDb, signal: never }),
  ]);
  const settings = { ...old, host: "new", cacheRoot };
  const failpoint = () => {};
  await installPair({
    area,
    settings,
    token,
    stepToken: token + 1,
    gapAbove: gap,
    signal: never,
    failpoint,
    snapshot,
    digests,
  });
  const ms = performance.now() - started;
  for (const made of [snapshot, cacheRoot]) rmSync(made, { recursive: true });
  return ms;
}
