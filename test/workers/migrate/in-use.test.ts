import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { openFileCheck, serverChecks, spaceCheck } from "../../../workers/migrate/checks/in-use.ts";
import { stopServers } from "../../../workers/migrate/checks/stop-servers.ts";
import { isRoot, temporaryDirectory } from "../../support/area.ts";
import { buildForTwo, contextOn, pairAt, type TwoPairs, twoPairs } from "../../support/hosts.ts";
import { holdOpen } from "../../support/queue.ts";

const never = new AbortController().signal;

/** A process with the command line given, and with a server's log in the area. Resolves once it has set itself up. */
async function startServer({ area, old }: TwoPairs, words: string[], deaf = false): Promise<ChildProcess> {
  const code = `${deaf ? "process.on('SIGTERM', () => {});" : ""} process.stdout.write('up'); setInterval(() => {}, 1e6)`;
  const child = spawn(process.execPath, ["-e", code, "--", ...words], {
    argv0: "megatest",
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  writeFileSync(
    join(area.realPath, "logs", `server-${child.pid}-${old.host}.log`),
    "SERVER STARTED: x:1 AT 5\n",
  );
  return child;
}

const pidOf = (child: ChildProcess) => child.pid ?? 0;

describe("servers of an area", () => {
  it("are looked for without a trace in the area", () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    expect(readdirSync(area.directory)).not.toContain(".mtjobs");
    serverChecks(openArea(area.directory), contextOn("old", { ...place, jobId: "look-1" }).settings);
    expect(readdirSync(area.directory)).not.toContain(".mtjobs");
  });

  it("hold a migration up while one is alive, on this host or another, each named", async () => {
    const pairs = twoPairs();
    expect(serverChecks(pairs.area, pairs.old)).toMatchObject({ name: "servers", ok: true });
    const server = await startServer(pairs, ["-server", "-"]);
    writeFileSync(join(pairs.area.realPath, "logs", "server-77-elsewhere.log"), "");
    const check = serverChecks(pairs.area, pairs.old);
    expect(check).toMatchObject({ ok: false });
    // Its log looks alive for some seconds after it was ended.
    const stopped = [
      { host: "elsewhere", pid: 77 },
      { host: pairs.old.host, pid: pidOf(server) },
    ];
    expect(serverChecks(pairs.area, pairs.old, 0, stopped)).toMatchObject({ ok: true });
    expect(check.facts).toEqual({
      servers: expect.arrayContaining([
        { host: "elsewhere", pid: 77, state: "live" },
        { host: pairs.old.host, pid: pidOf(server), state: "live" },
      ]),
    });
  });

  it("are ended if they are Megatest's and this user's, and waited for", async () => {
    const pairs = twoPairs();
    const server = await startServer(pairs, ["-server", "-"]);
    const ended = once(server, "exit");
    const check = await stopServers(pairs.area, [pidOf(server)], pairs.old, never);
    expect(check).toMatchObject({ ok: true, facts: { stopped: [pidOf(server)], left: [] } });
    expect((await ended)[1]).toBe("SIGTERM");
  });

  it("are left alone where the number is another program's, no log tells of it, or they do not listen", async () => {
    const pairs = twoPairs();
    const client = await startServer(pairs, ["-run"]);
    const deaf = await startServer(pairs, ["-server", "-"], true);
    const check = await stopServers(
      pairs.area,
      [pidOf(client), process.pid, pidOf(deaf)],
      pairs.old,
      never,
      200,
    );
    expect(check).toMatchObject({ ok: false, facts: { stopped: [] } });
    expect(check.facts?.left).toEqual([
      { pid: pidOf(client), reason: expect.stringContaining("not a Megatest server") },
      { pid: process.pid, reason: expect.stringContaining("no log") },
      { pid: pidOf(deaf), reason: expect.stringContaining("in time") },
    ]);
    expect(client.exitCode ?? client.signalCode).toBeNull();
  });
});

describe("processes that have a pair open", () => {
  it("hold a migration up, named by their numbers, whichever database it is; this one does not", async () => {
    const pairs = twoPairs();
    const pair = pairAt(pairs.area, pairs.old);
    expect(openFileCheck(pair, process.pid, "host-a").ok).not.toBe(false);
    const pids = [await holdOpen(pair.refDb ?? ""), await holdOpen(pair.megatestDb)];
    const check = openFileCheck(pair, process.pid, "host-a");
    expect(check).toMatchObject({ name: "open-files", ok: false });
    expect(check.facts?.pids).toEqual(expect.arrayContaining(pids));
    expect(openFileCheck({ ...pair, refDb: undefined }, pids[1] ?? 0, "host-a").ok).not.toBe(false);
  });
});

describe.runIf(isRoot)("a check of open files in a process namespace of its own", () => {
  it("is unknown, though a process outside has the pair open", async () => {
    const pairs = twoPairs();
    const pair = pairAt(pairs.area, pairs.old);
    await holdOpen(pair.megatestDb);
    const module = new URL("../../../workers/migrate/checks/in-use.ts", import.meta.url).href;
    const code = `import { openFileCheck } from ${JSON.stringify(module)};
      process.stdout.write(JSON.stringify(openFileCheck(${JSON.stringify(pair)}, process.pid, "host-a")));`;
    const node = [process.execPath, "--input-type=module", "-e", code];
    const { stdout } = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", ...node], {
      encoding: "utf8",
    });
    expect(JSON.parse(stdout)).toMatchObject({
      name: "open-files",
      ok: null,
      detail: expect.stringContaining("processes outside of it cannot be seen"),
    });
  });
});

describe("room for a pair", () => {
  it("is twice its size and a tenth, on the file system of the nearest directory that is there", () => {
    const { area, new: settings } = twoPairs();
    const there = join(settings.cacheRoot, "not", "yet");
    expect(spaceCheck("space-target", there, 100)).toMatchObject({
      ok: true,
      facts: { needed: 220, directory: settings.cacheRoot },
    });
    const { blocks, bsize } = statfsSync(area.realPath);
    expect(spaceCheck("space-area", area.realPath, blocks * bsize)).toMatchObject({ ok: false });
  });
});
