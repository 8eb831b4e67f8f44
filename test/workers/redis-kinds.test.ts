import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import getPort from "get-port";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { testRoot, waitFor } from "../support/area.ts";
import { canStartServer, onQueue, type QueueStage, runCommand, withServer } from "../support/queue.ts";

const testWithServer = test.skipIf(!canStartServer);
const hasOpenssl = spawnSync("openssl", ["version"], { stdio: "ignore" }).status === 0;

/**
 * A job asked for by the command, and done by a worker, over this Redis.
 *
 * @param more.env of both
 * @param more.plainUrl the same server for the test itself
 */
function doJobOver(
  url: string,
  { env: more = {}, plainUrl = url, before = async () => {} }: JobOver = {},
): Promise<void> {
  return onQueue(async (stage) => {
    await before(stage);
    await stage.worker("hosta", { MTJOBS_REDIS_URL: url, ...more });
    const area = stage.area("a1", "hosta");
    stage.release(area);
    const env = { MTJOBS_REDIS_URL: url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta", ...more };
    const asked = await runCommand(["reduce", area, "--runname", "hold", "--wait", "--json"], { env });
    expect(asked).toMatchObject({ code: 0 });
    const seen = await runCommand(["status", "--json"], { env });
    expect(JSON.parse(seen.stdout)).toMatchObject({ hosts: [{ host: "hosta" }] });
  }, plainUrl);
}

interface JobOver {
  env?: Record<string, string>;
  plainUrl?: string;
  before?(stage: QueueStage): Promise<void>;
}

testWithServer("a worker serves, and a command asks, through the Sentinels that know the master", () =>
  withServer([], async (url) => {
    const { port: master } = new URL(url);
    await withSentinel(Number(master), (port) => doJobOver(`redis+sentinel://127.0.0.1:${port}/mine`));
  }),
);

testWithServer("a worker serves, and a command asks, on a cluster of three nodes of which one is named", () =>
  withNodes(3, async (urls) => {
    await joinCluster(urls.map((url) => Number(new URL(url).port)));
    await doJobOver(`redis+cluster://${new URL(urls[1] ?? "").host}`);
  }),
);

testWithServer(
  "on a cluster a prefix without a hash tag is refused, for its keys would lie on many nodes",
  () =>
    withNodes(1, async ([url = ""]) => {
      await joinCluster([Number(new URL(url).port)]);
      const env = { MTJOBS_REDIS_URL: `redis+cluster://${new URL(url).host}`, MTJOBS_PREFIX: "plain" };
      const asked = await runCommand(["jobs", "--json"], { env });
      expect([asked.code, asked.stdout]).toEqual([2, expect.stringContaining("{plain}")]);
    }),
);

const testWithTls = test.skipIf(!canStartServer || !hasOpenssl);

testWithTls(
  "over TLS, and with no more rights than docs/deploy.md gives a user of Redis, a job is asked for and done",
  () =>
    withTls(({ plainUrl, port, certificate }) =>
      doJobOver(`rediss://mtjobs:CHANGE-ME@127.0.0.1:${port}`, {
        env: { NODE_EXTRA_CA_CERTS: certificate },
        plainUrl,
        before: async ({ redis, prefix }) => {
          await redis.call("ACL", "SETUSER", ...documentedUser(prefix));
        },
      }),
    ),
);

testWithTls("over TLS to the Sentinels and to the master that they know, a job is asked for and done", () =>
  withTls(async ({ plainUrl, port, certificate, files }) => {
    const secured = await getPort({ host: "127.0.0.1" });
    const tls = [`tls-port ${secured}`, "tls-replication yes", ...files.map((line) => line.join(" "))];
    await withSentinel(
      port,
      () =>
        doJobOver(`rediss+sentinel://127.0.0.1:${secured}/mine`, {
          env: { NODE_EXTRA_CA_CERTS: certificate },
          plainUrl,
        }),
      tls,
    );
  }),
);

interface TlsServer {
  /** The same server without TLS, for the test itself. */
  plainUrl: string;
  /** Where it speaks TLS. */
  port: number;
  certificate: string;
  /** What a server's configuration says of the files, name and value. */
  files: (readonly [name: string, value: string])[];
}

async function withTls(body: (server: TlsServer) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(testRoot(), "mtjobs-tls-"));
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "ca.pem")];
  const port = await getPort({ host: "127.0.0.1" });
  const files = [
    ["tls-auth-clients", "no"],
    ["tls-key-file", key],
    ["tls-cert-file", certificate],
    ["tls-ca-cert-file", certificate],
  ] as const;
  try {
    makeCertificate(key, certificate);
    const flags = files.flatMap(([name, value]) => [`--${name}`, value]);
    await withServer(["--tls-port", String(port), ...flags], (plainUrl) =>
      body({ plainUrl, port, certificate, files: [...files] }),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function makeCertificate(key: string, certificate: string): void {
  const made =
    "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=mtjobs -addext subjectAltName=IP:127.0.0.1";
  execFileSync("openssl", [...made.split(" "), "-keyout", key, "-out", certificate], { stdio: "ignore" });
}

/** The rules of the line in docs/deploy.md, for another prefix. */
function documentedUser(prefix: string): string[] {
  const text = readFileSync(new URL("../../docs/deploy.md", import.meta.url), "utf8");
  const line = /^user (mtjobs on .+)$/m.exec(text)?.[1] ?? "";
  return line.replaceAll("{mtjobs}", prefix).split(" ");
}

/** @param more lines of its configuration */
async function withSentinel(
  master: number,
  body: (port: number) => Promise<void>,
  more: string[] = [],
): Promise<void> {
  const directory = mkdtempSync(join(testRoot(), "mtjobs-sentinel-"));
  const port = await getPort({ host: "127.0.0.1" });
  const config = join(directory, "sentinel.conf");
  const lines = [
    ...[`port ${port}`, "bind 127.0.0.1", ...more],
    `sentinel monitor mine 127.0.0.1 ${master} 1`,
  ];
  writeFileSync(config, `${lines.join("\n")}\n`);
  const child = spawn("redis-server", [config, "--sentinel"], { stdio: "ignore", cwd: directory });
  try {
    await waitFor("the sentinel to answer", () => answers(port));
    await body(port);
  } finally {
    await end(child);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs `body` with so many servers that may form a cluster. */
async function withNodes(count: number, body: (urls: string[]) => Promise<void>): Promise<void> {
  const open = async (urls: string[]): Promise<void> => {
    if (urls.length === count) return body(urls);
    const bus = await getPort({ host: "127.0.0.1" });
    const flags = ["--cluster-enabled", "yes", "--cluster-port", String(bus)];
    await withServer(flags, (url) => open([...urls, url]));
  };
  await open([]);
}

/** Deals the slots out among the nodes, and waits until each knows the whole cluster. */
async function joinCluster(ports: number[]): Promise<void> {
  const clients = ports.map((port) => new Redis(port, "127.0.0.1"));
  try {
    const share = Math.ceil(16_384 / ports.length);
    for (const [index, client] of clients.entries()) {
      const last = Math.min((index + 1) * share, 16_384) - 1;
      await client.call("CLUSTER", "ADDSLOTSRANGE", index * share, last);
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      if (index > 0)
        await client.call("CLUSTER", "MEET", "127.0.0.1", ports[0] ?? 0, await busOf(clients[0]));
    }
    await waitFor("the cluster to be whole", async () => {
      const states = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
      return states.every(
        (state) =>
          String(state).includes("cluster_state:ok") && String(state).includes("cluster_slots_ok:16384"),
      );
    });
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function busOf(client: Redis | undefined): Promise<string> {
  const [, port = ""] = ((await client?.config("GET", "cluster-port")) ?? []) as string[];
  return port;
}

async function answers(port: number): Promise<boolean> {
  const client = new Redis(port, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.ping()) === "PONG";
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
