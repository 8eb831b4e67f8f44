import { statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { serverText } from "../../shared/area/servers.ts";
import type { ReducePayload } from "../../shared/contract/payload.ts";
import { toJobsError } from "../../shared/errors.ts";
import { assertInPlace, prepared } from "../../shared/sqlite/connection.ts";
import { lifeOf } from "../../shared/sqlite/times.ts";
import { aliveServers } from "../area-db/alive-servers.ts";
import { fileNames, type Source } from "../area-db/databases.ts";
import type { LeasedSession } from "./leased-session.ts";
import type { JobSession } from "./session/job-session.ts";
import { vacuumInThread } from "./writers/source-client.ts";

/** `auto` vacuums if at least this share of a file is free… */
const freeShare = 0.25;
/** …and more than this many bytes. */
const freeBytes = 8 * 1024 * 1024;

/**
 * Releases free pages to the file system by `VACUUM`. It is the only step that holds a write lock for long, so `auto`
 * runs it only in a quiet area.
 *
 * @param parts databases that the job may leave with free pages
 */
export async function compact(
  session: LeasedSession,
  mode: ReducePayload["compact"],
  parts: readonly (Source | "completed")[],
): Promise<void> {
  // A vacuum cannot be interrupted when the time is up.
  if (session.time.up() !== undefined) return;
  if (mode === "never") return;
  const small: string[] = [];
  for (const part of parts) {
    session.context.signal.throwIfAborted();
    const name = fileNames[part];
    const free = await session.read(() => freeIn(session, part));
    if (mode === "auto" && !isWorthwhile(free)) {
      if (free.bytes > 0) small.push(name);
      continue;
    }
    const obstacle = await vacuumUnlessHindered(session, mode, part);
    if (obstacle !== undefined)
      session.tally.warn(`${name} was not vacuumed and keeps its free space: ${obstacle}`);
  }
  // Without a moved run a file is expected to keep its size.
  if (small.length > 0 && session.tally.moved.runs > 0) {
    session.tally.warn(
      `free space stays in ${new Intl.ListFormat("en").format(small)}: at most 8 MiB, or less than a quarter of the file; new records use it, and "--compact always" returns it to the file system`,
    );
  }
}

/** Vacuums a database. Returns why not, if it could not: its runs have moved by now, so this must not fail the job. */
async function vacuumUnlessHindered(
  session: LeasedSession,
  mode: ReducePayload["compact"],
  part: Source | "completed",
): Promise<string | undefined> {
  // `always` skips this check; a held lock still postpones it.
  const busy = mode === "auto" ? await quietReason(session) : undefined;
  if (busy !== undefined) return `${busy}; the next job on a quiet area will do it, or use --compact always`;
  try {
    const lack = lackOfSpace(session, part);
    if (lack !== undefined) return lack;
    await vacuum(session, part);
    session.context.failpoint("compacted");
    session.context.log(`Compacted ${fileNames[part]}.`);
    return undefined;
  } catch (error) {
    const { code, message } = toJobsError(error);
    // That a database is not in its place any more is no matter of the vacuum alone.
    assertInPlace(session.db);
    if (code === "busy") return "another program is using it; the next job will try again";
    if (code === "unknown-schema") return message;
    if (code === "disk-full") return `${message}; free some space, and the next job will do it`;
    if (code === "io")
      return `${message}; check the file system and its permissions; the next job will try again`;
    throw error;
  }
}

/** Vacuums, renewing the cache's time: a vacuum may take longer than the cache may be older. */
async function vacuum(session: LeasedSession, part: Source | "completed"): Promise<void> {
  const { files, token } = session;
  session.keepCacheNewer();
  const timer = setInterval(() => session.keepCacheNewer(), 1000);
  try {
    await vacuumInThread({ files, part, token });
  } finally {
    clearInterval(timer);
    session.keepCacheNewer();
  }
}

interface Free {
  bytes: number;
  /** Of the whole file, 0 to 1. */
  share: number;
}

function freeIn({ db }: JobSession, part: Source | "completed"): Free {
  const read = (name: string) => db.pragma(`${part}.${name}`, { simple: true }) as number;
  const pages = read("freelist_count");
  return { bytes: pages * read("page_size"), share: pages / Math.max(read("page_count"), 1) };
}

function isWorthwhile({ bytes, share }: Free): boolean {
  return bytes > freeBytes && share >= freeShare;
}

/** A vacuum builds the new file in the temporary directory, and journals the old one. */
function lackOfSpace({ files }: JobSession, part: Source | "completed"): string | undefined {
  const file = files[part];
  if (file === undefined) return undefined;
  const needed = 2 * statSync(file).size;
  for (const directory of new Set([dirname(file), tmpdir()])) {
    const { bavail, bsize } = statfsSync(directory);
    if (bavail * bsize >= needed) continue;
    return `${directory} has less than the ${Math.ceil(needed / 1e6)} MB free that a vacuum needs; free some space, and the next job will do it`;
  }
  return undefined;
}

/** Tests read in one statement. */
const chunk = 20_000;

/** Returns why the area is not quiet (a live server, or a test in flight), or undefined. */
async function quietReason(session: JobSession): Promise<string | undefined> {
  const [server] = aliveServers(session.area, session.context.settings.host);
  if (server !== undefined) return `a Megatest server is alive (${serverText(server)})`;
  return (await isAnythingInFlight(session)) ? "tests are in flight" : undefined;
}

/** Returns true if an unfinished test was active within a day. */
async function isAnythingInFlight(session: JobSession): Promise<boolean> {
  const { db, fresh } = session;
  const found = () =>
    prepared<{ from: bigint; to: bigint; since: number }, number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM ${fresh}.tests AS t WHERE t.id BETWEEN :from AND :to
       AND t.state IN ('RUNNING', 'LAUNCHED', 'REMOTEHOSTSTART')
       AND ${lifeOf("t")} > :since)`,
    ).pluck();
  const since = Date.now() / 1000 - 24 * 3600;
  for await (const [from, to] of session.idRanges(`${fresh}.tests`, chunk)) {
    if ((await session.read(() => found().get({ from, to, since }))) === 1) return true;
  }
  return false;
}
