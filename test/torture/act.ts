import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { type MoveName, parsePayload } from "../../shared/contract/payload.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { newJobId } from "../../shared/queue/names.ts";
import { snapshotNames } from "../../workers/migrate/pair/copy-database.ts";
import { homeHostOf } from "../support/hosts.ts";
import { fillBut, makeReadOnly, startMegatestClient, startMegatestServer } from "../support/queue.ts";
import { drain } from "./ask.ts";
import type { Deed } from "./plan.ts";
import type { World } from "./world.ts";

let made = 0;

/**
 * Does what the deed says, and ends what it began; rejects where a fault keeps it from being done.
 *
 * @param noteJournal told of the file where a client of an area notes what was acknowledged to it
 */
export async function act(
  world: World,
  deed: Deed,
  noteJournal: (area: number, journal: string) => void,
): Promise<void> {
  switch (deed.do) {
    case "reduce":
    case "restore":
      return await ask(world, deed.do, world.area(deed.area), deed.runs);
    case "migrate":
      await world.hosts.migrate(world.area(deed.area), deed.to);
      return;
    case "drain":
      return await drain(world, deed.host);
    case "client":
      return await write(world, deed, noteJournal);
    case "server":
      return await sync(world, world.area(deed.area), deed.forMs);
    case "corrupt a copy":
      await world.hosts.migrate(world.area(deed.area), deed.to);
      return await corruptCopy(world.area(deed.area), deed.forMs);
    case "slow down":
      return await slowDown(world, deed);
    case "pause Megatest":
      return await pauseMegatest(world, deed.forMs);
    case "fill":
    case "make read-only":
      return await spoil(world, deed);
    default:
      return await strike(world, deed);
  }
}

async function ask(world: World, name: MoveName, area: SampleArea, runs: readonly number[]): Promise<void> {
  const data = { v: 1, area: area.directory, runId: [...new Set(runs)], compact: "auto" };
  const payload = parsePayload(name, name === "restore" ? { ...data, grace: 500 } : data);
  const { deduplication: _none, ...options } = enqueueOptions(name, payload, newJobId(name));
  await world.hosts.stage.add(homeHostOf(area), name, payload, { ...options, backoff: 500 });
}

/** A client that registers a run of its own and writes to it; killed in the end, as a user ends one. */
async function write(
  world: World,
  { area, forMs }: { area: number; forMs: number },
  noteJournal: (area: number, journal: string) => void,
): Promise<void> {
  const journal = join(world.hosts.stage.root, `journal-${++made}.jsonl`);
  noteJournal(area, journal);
  const client = await startMegatestClient({
    cacheDb: world.atHome(world.area(area)).cacheDb,
    journal,
    everyMs: 10,
    target: { sysname: "ubuntu", fsname: "nfs", datapath: "none" },
    runname: `client${made}`,
  });
  world.clients.push(client);
  await Promise.race([client.ended, sleep(forMs)]);
  await client.kill();
}

async function sync(world: World, area: SampleArea, forMs: number): Promise<void> {
  const server = await startMegatestServer({
    ...world.atHome(area),
    // Each other area has a Megatest of the newer kind, as after an upgrade.
    syncsLastUpdate: world.areas.indexOf(area) % 2 === 1,
    syncEveryMs: 700,
    touchEveryMs: 500,
    quietMs: 0,
  });
  world.servers.push(server);
  await Promise.race([server.ended, sleep(forMs)]);
  await Promise.race([server.stop(), sleep(3_000)]);
  await server.kill();
}

/** Turns a bit of a snapshot that is on its way to another host, once it exists; rejects if it never does. */
async function corruptCopy(area: SampleArea, forMs: number): Promise<void> {
  const directory = join(area.directory, ".mtjobs", "migration");
  for (const end = Date.now() + forMs; Date.now() < end; await sleep(5)) {
    const name = list(directory).find((path) => path.endsWith(`/${snapshotNames.cache}`));
    if (name !== undefined) return turnBit(join(directory, name));
  }
  throw new Error("no snapshot was there");
}

function turnBit(file: string): void {
  const fd = openSync(file, "r+");
  try {
    const at = Math.floor(fstatSync(fd).size / 2);
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, at);
    writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  } finally {
    closeSync(fd);
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
}

async function spoil(
  world: World,
  { do: what, where, forMs }: Extract<Deed, { where: unknown }>,
): Promise<void> {
  if (!world.hasMounts) throw new Error("root alone may make file systems that fail");
  const directory = world.directoryOf(where);
  const repair = what === "fill" ? fillBut(directory, 0) : makeReadOnly(directory);
  await sleep(forMs);
  repair();
}

/** Reads, writes and syncs of databases by a worker take so much longer, as on a file server that has too much to do. */
async function slowDown(
  { workers }: World,
  { host, callMs, forMs }: Extract<Deed, { do: "slow down" }>,
): Promise<void> {
  // Not every machine has the older ones of these.
  const calls =
    "openat,pread64,pwrite64,ftruncate,fdatasync,fsync,?unlink,unlinkat,?rename,renameat,renameat2";
  const pid = String(workers.get(host)?.child.pid);
  const inject = `${calls}:delay_enter=${callMs * 1000}`;
  const args = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", `inject=${inject}`, "-p", pid];
  const tracer = spawn("strace", args, { stdio: "ignore" });
  const ended = once(tracer, "exit");
  // One that ends alone was not allowed to stop the worker, or lost it.
  const early = await Promise.race([ended, sleep(forMs)]);
  if (early !== undefined) throw new Error(`strace ended with ${early}`);
  tracer.kill();
  if ((await Promise.race([ended, sleep(10_000)])) === undefined) tracer.kill("SIGKILL");
}

/** Perhaps in the middle of a transaction, whose lock no other process gets until they continue. */
async function pauseMegatest({ clients, servers }: World, forMs: number): Promise<void> {
  const paused = [...clients, ...servers];
  if (paused.length === 0) throw new Error("Megatest was not at work");
  for (const one of paused) one.signal("SIGSTOP");
  await sleep(forMs);
  for (const one of paused) one.signal("SIGCONT");
}

/** Right for half of the time; then it jumps. */
async function moveClock(
  world: World,
  { host, byMs, forMs }: Extract<Deed, { do: "move the clock" }>,
): Promise<void> {
  await world.kill(host);
  const loader = new URL("clock-moved.mjs", import.meta.url).href;
  const clock = `${byMs},${Date.now() + forMs / 2}`;
  await world.start(host, { NODE_OPTIONS: `--import ${loader}`, MTJOBS_TEST_CLOCK: clock });
  await sleep(forMs);
  await world.kill(host);
  await world.start(host);
}

async function strike(
  world: World,
  deed: Exclude<
    Deed,
    { area: number } | { where: unknown } | { do: "drain" | "slow down" | "pause Megatest" }
  >,
): Promise<void> {
  const { redis, links, workers } = world;
  switch (deed.do) {
    case "kill":
      await world.kill(deed.host);
      await sleep(deed.forMs);
      return await world.start(deed.host);
    case "pause":
      workers.get(deed.host)?.child.kill("SIGSTOP");
      await sleep(deed.forMs);
      workers.get(deed.host)?.child.kill("SIGCONT");
      return;
    case "cut off":
      await links[deed.host].cut();
      await sleep(deed.forMs);
      return await links[deed.host].restore();
    case "move the clock":
      return await moveClock(world, deed);
    case "kill Redis":
      await redis.kill();
      await sleep(deed.forMs);
      return await redis.restart();
    case "freeze Redis":
      redis.signal("SIGSTOP");
      await sleep(deed.forMs);
      redis.signal("SIGCONT");
      return;
    case "flush Redis":
      await world.hosts.stage.redis.flushall();
  }
}
