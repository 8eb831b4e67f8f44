import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../producers/demo/sample-area/build-area.ts";
import { temporaryDirectory } from "../support/area.ts";
import { canStartServer, documentOf, errorCodeOf, runCommand, withServer } from "../support/queue.ts";

const queueLibraries = new URL("../../shared/queue/connections.ts", import.meta.url).href;

/** Milliseconds until a command without Redis has ended: the time that this machine takes now to start one. */
async function startUp(): Promise<number> {
  return (await runCommand(["--version"], { env: { NODE_OPTIONS: `--import=${queueLibraries}` } })).ms;
}

/** What of the 3 seconds is left for asking Redis; the rest is for starting on a machine that has nothing else to do. */
const asking = 2500;

/** Accepts connections and never answers, as a Redis that hangs. */
let silent: Server;
const closedPort = "redis://127.0.0.1:1";

beforeAll(async () => {
  silent = createServer(() => {});
  await new Promise<void>((resolve) => {
    silent.listen(0, "127.0.0.1", resolve);
  });
});
afterAll(() => {
  silent.close();
});

function sampleArea() {
  const root = temporaryDirectory();
  const area = buildArea({
    directory: join(root, "area"),
    cacheRoot: join(root, "tmp"),
    user: "u",
    host: "hosta",
    runs: 3,
    testsPerRun: 2,
    unsynced: false,
  });
  const env = { MTJOBS_HOST: "hosta", MTJOBS_USER: "u", MTJOBS_CACHE_ROOT: join(root, "tmp") };
  return { area: area.directory, env };
}

describe("with Redis out of reach", () => {
  it.each([
    "jobs",
    "status",
    "job x",
    "cancel x",
    "reduce AREA --runname %",
    "reduce AREA --runname % --wait",
    "demo",
  ])("%s says so within 3 seconds and ends with 4", async (line) => {
    const { area, env } = sampleArea();
    const args = line.split(" ").map((word) => (word === "AREA" ? area : word));
    const finished = await runCommand([...args, "--json"], { env: { ...env, MTJOBS_REDIS_URL: closedPort } });
    expect([finished.code, errorCodeOf(finished)]).toEqual([4, "redis-unreachable"]);
    expect(finished.ms - (await startUp())).toBeLessThan(asking);
  });

  it("a server that accepts and never answers counts as out of reach within 3 seconds", async () => {
    const { port } = silent.address() as AddressInfo;
    const finished = await runCommand(["jobs", "--json", "--redis-url", `redis://127.0.0.1:${port}`]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([4, "redis-unreachable"]);
    expect(finished.ms - (await startUp())).toBeLessThan(asking);
  });

  it("a worker refuses to start and ends with 4", async () => {
    const { area, env } = sampleArea();
    const { MTJOBS_USER: _someone, ...own } = env;
    const finished = await runCommand(["worker", "--json", "--areas", area, "--redis-url", closedPort], {
      env: own,
    });
    expect([finished.code, errorCodeOf(finished)]).toEqual([4, "redis-unreachable"]);
  });

  it("status AREA tells of the area, says in one line that its queue is unknown, and ends with 0", async () => {
    const { area, env } = sampleArea();
    const finished = await runCommand(["status", area, "--json", "--redis-url", closedPort], { env });
    expect(finished.code).toBe(0);
    expect(finished.ms - (await startUp())).toBeLessThan(asking);
    expect(documentOf(finished)).not.toHaveProperty("error");
    expect(documentOf(finished)).toMatchObject({
      area,
      homehost: "hosta",
      atHome: true,
      runs: 3,
      jobs: null,
      queueProblem: { code: "redis-unreachable", hint: expect.any(String) },
    });
    const plain = await runCommand(["status", area, "--redis-url", closedPort], { env });
    expect(plain.stdout).toContain("3 in megatest.db");
    expect([plain.code, plain.stderr]).toEqual([0, ""]);
    expect(
      plain.stdout.match(/^queue +unknown: Redis at redis:\/\/127\.0\.0\.1:1 is out of reach .*$/gm),
    ).toHaveLength(1);
  });

  it.skipIf(!canStartServer)("status AREA tells of the area and ends with 1 if Redis refuses the login", () =>
    withServer([], async (url) => {
      const { area, env } = sampleArea();
      const refused = url.replace("//", "//me:wrong@");
      const finished = await runCommand(["status", area, "--json", "--redis-url", refused], { env });
      expect([finished.code, errorCodeOf(finished)]).toEqual([1, "bad-redis"]);
      expect(documentOf(finished)).toMatchObject({ area, runs: 3, queueProblem: { code: "bad-redis" } });
      const unread = await runCommand(["status", area, "--json", "--redis-url", "redis://:p/q@h"], { env });
      expect([unread.code, errorCodeOf(unread)]).toEqual([2, "bad-settings"]);
    }),
  );
});
