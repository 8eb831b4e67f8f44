import { spawnSync } from "node:child_process";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { isRoot, waitFor } from "../support/area.ts";
import {
  builtCommand,
  canStartServer,
  documentOf,
  errorCodeOf,
  onQueue,
  type QueueStage,
  runCommand,
  serverEnv,
  startCommand,
  startServer,
  withServer,
} from "../support/queue.ts";

/** A Redis that nothing listens at: the command must not need one. */
const noRedis = { MTJOBS_REDIS_URL: "redis://127.0.0.1:1" };

const health = (...args: string[]) => runCommand(["health", ...args], { env: noRedis });

async function withWorker(
  stage: QueueStage,
  work: (url: string, pid: number) => Promise<void>,
): Promise<void> {
  const env = { MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_AREAS: stage.root };
  const worker = startCommand(["worker", "--metrics", "0"], { env: { ...env, MTJOBS_HOST: "hosta" } });
  try {
    const url = await waitFor("metrics", () => /metrics at (http:[^"]+)/.exec(worker.stderr())?.[1], {
      state: worker.stderr,
    });
    await work(url, worker.child.pid ?? 0);
  } finally {
    worker.child.kill("SIGKILL");
    await worker.finished;
  }
}

/** A server of another program; it stops with the work. */
async function withOther(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const mayUnshare = isRoot && spawnSync("unshare", ["--net", "ip", "link", "set", "lo", "up"]).status === 0;

/** Exit code and output on a machine where these ports answer so. */
function healthOf(answers: Record<number, string>): [number | null, string] {
  const servers = Object.entries(answers).map(
    ([port, text]) =>
      `http.createServer((_, r) => r.end(${JSON.stringify(text)})).listen(${port}, "127.0.0.1");`,
  );
  const command = `${process.execPath} ${builtCommand} health`;
  const script = `${servers.join("")} setTimeout(() => {
    child_process.exec(${JSON.stringify(command)}, (error, out) => { process.stdout.write(out); process.exit(error?.code); });
  }, 100);`;
  const run = ["--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", process.execPath, "-e", script];
  const { status, stdout } = spawnSync("unshare", run, { encoding: "utf8" });
  return [status, stdout];
}

describe("health", () => {
  it("is good for a worker that answers, without Redis, and bad once it hangs or has gone", () =>
    onQueue(async (stage) => {
      let gone = "";
      await withWorker(stage, async (url, pid) => {
        gone = url;
        const good = await health("--url", url);
        expect([good.code, good.stdout, good.stderr]).toEqual([0, `${url}: well\n`, ""]);
        process.kill(pid, "SIGSTOP");
        const hangs = await health("--url", url);
        expect([hangs.code, hangs.stdout]).toEqual([1, `${url}: no answer within 3 s\n`]);
      });
      const bad = await health("--url", gone, "--json");
      const problem = expect.stringContaining("nothing listens there");
      expect([bad.code, documentOf(bad)]).toEqual([
        1,
        { ok: false, endpoints: [{ url: gone, ok: false, problem }] },
      ]);
    }));

  it.skipIf(!canStartServer)("is good for a server with a token while that reaches Redis", () =>
    withServer([], async (redisUrl, redis) => {
      await onQueue(async (stage) => {
        const server = await startServer({
          ...serverEnv(stage),
          MTJOBS_REDIS_URL: redisUrl,
          MTJOBS_TOKEN: "0123456789abcdef",
        });
        try {
          const url = `${server.url}/healthz`;
          expect(await health("--url", url)).toMatchObject({ code: 0, stdout: `${url}: well\n` });
          // Without the token it says nothing of itself there.
          const page = await health("--url", `${server.url}/`);
          expect([page.code, page.stdout]).toEqual([1, expect.stringContaining("HTTP status 401")]);
          await redis.kill();
          const down = await waitFor("the server to miss Redis", async () => {
            const finished = await health("--url", url);
            return finished.code === 1 && finished;
          });
          expect(down.stdout).toBe(`${url}: the server is not well: Redis is down\n`);
        } finally {
          server.child.kill("SIGKILL");
          await server.finished;
        }
      });
    }),
  );

  it.skipIf(!mayUnshare)("without a URL needs one of this machine's, and no bad one", () => {
    const worker = "http://127.0.0.1:9464/metrics";
    const server = "http://127.0.0.1:3111/healthz";
    expect(healthOf({})).toEqual([1, expect.stringMatching(/^neither a worker .* nor a server .*--url\n$/)]);
    expect(healthOf({ 9464: "mtjobs_worker_up 1" })).toEqual([0, `${worker}: well\n`]);
    expect(healthOf({ 3111: '{"ok":true,"redis":"up"}' })).toEqual([0, `${server}: well\n`]);
    expect(healthOf({ 9464: "mtjobs_worker_up 1", 3111: '{"ok":false,"redis":"down"}' })).toEqual([
      1,
      `${worker}: well\n${server}: the server is not well: Redis is down\n`,
    ]);
  });

  it("takes no answer of another program for a good one, nor follows it elsewhere", async () => {
    const answers: [RequestListener, string][] = [
      [(_, response) => response.end("<html>log in</html>"), "the answer is not one of mtjobs"],
      [(_, response) => response.end('{"ok":true}'), "the answer is not one of mtjobs"],
      [(_, response) => response.writeHead(302, { location: "/healthz" }).end(), "HTTP status 302"],
      [(_, response) => response.writeHead(500).end("mtjobs_x 1"), "HTTP status 500"],
      [(_, response) => response.socket?.destroy(), "cannot be asked: other side closed"],
    ];
    for (const [listener, problem] of answers) {
      await withOther(listener, async (url) => {
        const { code, stdout } = await health("--url", url);
        expect([code, stdout]).toEqual([1, expect.stringContaining(problem)]);
      });
    }
  });

  it.each(["nonsense", "ftp://127.0.0.1/x", "http://user:s3cret@127.0.0.1/"])(
    "refuses %s as usage, and shows no password",
    async (url) => {
      const finished = await health("--url", url, "--json");
      expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
      expect(finished.stdout).not.toContain("s3cret");
    },
  );
});
